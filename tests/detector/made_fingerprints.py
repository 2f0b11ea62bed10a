"""Pictures and fingerprints made up for tests: scenes that move, and copies of them."""

from __future__ import annotations

import cv2
import numpy as np

from detector.fingerprint.fingerprint import RATE, SIDE, Fingerprint

HEIGHT, WIDTH = 180, 240


def scene(seed: int, count: int = 1, *, moving: bool = True) -> np.ndarray:
    """(count, HEIGHT, WIDTH), grey: soft shapes that wander; another ``seed``, other shapes."""
    rng = np.random.default_rng(seed)
    room = cv2.GaussianBlur(rng.random((2 * HEIGHT, 2 * WIDTH)), (0, 0), 12)
    room += 0.5 * cv2.GaussianBlur(rng.random(room.shape), (0, 0), 5)
    room = (room - room.min()) / (room.max() - room.min()) * 235 + 10
    angle = rng.random() * 2 * np.pi
    out = []
    for number in range(count):
        shift = 6.0 * number if moving else 0.0
        x = round(WIDTH / 2 + np.cos(angle + number / 15) * shift) % WIDTH
        y = round(HEIGHT / 2 + np.sin(angle) * shift) % HEIGHT
        out.append(room[y : y + HEIGHT, x : x + WIDTH])
    return np.array(out, np.uint8)


def film(*seeds: int, seconds: float = 5.0) -> np.ndarray:
    """Scenes one after another, as many pictures a second as fingerprints have."""
    return np.concatenate([scene(seed, round(seconds * RATE)) for seed in seeds])


def fingerprint(pictures: np.ndarray, *, still: bool = False) -> Fingerprint:
    """The fingerprint of grey pictures of any size."""
    small = [cv2.resize(picture, (SIDE, SIDE), interpolation=cv2.INTER_AREA) for picture in pictures]
    return Fingerprint(np.array(small, np.uint8), (pictures.shape[2], pictures.shape[1]), still)


def captioned(pictures: np.ndarray) -> np.ndarray:
    """With a bar over the lowest eighth."""
    out = pictures.copy()
    bar = HEIGHT // 8
    out[:, -bar:] = 20
    for picture in out:
        cv2.putText(picture, "BREAKING NEWS", (8, HEIGHT - 5), cv2.FONT_HERSHEY_SIMPLEX, 0.5, 255, 2)
    return out


def noisy(pictures: np.ndarray, seed: int = 0) -> np.ndarray:
    """As strong compression leaves them."""
    rng = np.random.default_rng(seed)
    coarse = cv2.resize(np.moveaxis(pictures, 0, 2), (WIDTH // 4, HEIGHT // 4), interpolation=cv2.INTER_AREA)
    back = np.moveaxis(cv2.resize(coarse, (WIDTH, HEIGHT)).reshape(HEIGHT, WIDTH, -1), 2, 0)
    return np.clip(back + rng.normal(0, 6, back.shape), 0, 255).astype(np.uint8)
