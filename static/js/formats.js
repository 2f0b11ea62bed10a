// Probabilities, times and sizes as people read them.

import { LANGUAGE, decimal } from "./language.js";

const THRESHOLDS = [0.4, 0.65]; // as shipped, of doubt and of a finding
const ROUNDED_DOWN = [0.125, 0.625]; // the halves that Python rounds down, to the even digit

/** A probability with two decimals; never rounded to a certainty, or to a threshold it does not reach, set or shipped. */
export function probability(value, ...set) {
  if (value > 0.99) return `>\u00a0${decimal(0.99, 2)}`; // on one line with its sign
  if (value < 0.01) return `<\u00a0${decimal(0.01, 2)}`;
  const near = ROUNDED_DOWN.includes(value) ? value - 0.005 : Number(value.toFixed(2));
  const lifted = [...THRESHOLDS, ...set].some((threshold) => value < threshold && threshold <= near);
  return lifted ? decimal(Math.floor(1000 * value) / 1000, 3) : decimal(near, 2);
}

/** A text with its first letter in upper case. */
export const capitalized = (text) => text.charAt(0).toLocaleUpperCase(LANGUAGE) + text.slice(1);

/** Seconds as HH:MM:SS.mmm. */
export function timecode(seconds) {
  const total = Math.max(0, Math.round(seconds * 1000));
  const pad = (value, width = 2) => String(value).padStart(width, "0");
  const whole = Math.floor(total / 1000);
  return `${pad(Math.floor(whole / 3600))}:${pad(Math.floor(whole / 60) % 60)}:${pad(whole % 60)}.${pad(total % 1000, 3)}`;
}

/** Seconds as M:SS.mmm, which a field for times takes. */
export function shortTimecode(seconds) {
  const total = Math.max(0, Math.round(seconds * 1000)) / 1000;
  const minutes = Math.floor(total / 60);
  return `${minutes}:${(total - 60 * minutes).toFixed(3).padStart(6, "0")}`;
}

const DAY = LANGUAGE === "en" ? null : new Intl.DateTimeFormat(LANGUAGE, { dateStyle: "medium", timeZone: "UTC" });

/** The day of a moment as `language.formatting` writes it: in English as ISO 8601 does. */
export function day(iso) {
  return DAY ? DAY.format(new Date(iso)) : iso.slice(0, 10);
}

/** A moment in UTC likewise. */
export function moment(iso) {
  return `${day(iso)}${DAY ? "," : ""} ${iso.slice(11, 19)} UTC`;
}

/** A size as people read it: as `size` of `language.formatting`, but closer where a limit may be near. */
export function fileSize(bytes) {
  if (bytes >= 1e9) return `${decimal(bytes / 1e9, 2)} GB`;
  if (bytes >= 1e6) return `${decimal(bytes / 1e6, 1)} MB`;
  return bytes >= 1e3 ? `${decimal(bytes / 1e3, 1)} kB` : `${Math.ceil(bytes / 1e3)} kB`;
}

/** A text in which nothing changes the reading direction, as `detector.schema.formatting.escape_directions`. */
export function escapeDirections(text) {
  return text.replace(/[\u202a-\u202e\u2066-\u2069]/g, (char) => `\\u${char.charCodeAt(0).toString(16)}`);
}

// As in `detector.schema.formatting`: a joiner that belongs where it stands, after the letter or emoji before it.
const SCRIPTS = "[\\u0600-\\u0dff\\u1000-\\u109f\\u1780-\\u18af]";
const LETTER = `(?=[\\p{L}\\p{M}])${SCRIPTS}`;
const VIRAMA = "[\\u094d\\u09cd\\u0a4d\\u0acd\\u0b4d\\u0bcd\\u0c4d\\u0ccd\\u0d3b\\u0d3c\\u0d4d\\u0dca\\u1039\\u103a\\u17d2]";
const EMOJI = "[\\u2190-\\u21ff\\u2300-\\u23ff\\u2600-\\u27bf\\u2b00-\\u2bff\\u{1f000}-\\u{1faff}]";
const JOINED = `${VIRAMA}[\\u200c\\u200d]|${LETTER}[\\u200c\\u200d](?=${LETTER})|${EMOJI}\\ufe0f?\\u200d(?=${EMOJI})`;
const VARYING = `(?:${EMOJI}|[\\u00a9\\u00ae\\u203c\\u2049\\u2122\\u2139\\u1000-\\u109f\\u2e80-\\u9fff\\ua840-\\ua877\\uf900-\\ufaff\\u{20000}-\\u{3ffff}])`;
const UNSEEN = [
  "[\\u034f\\u115f\\u1160\\u17b4\\u17b5\\u2800\\u3164\\uffa0\\u{16fe4}\\u{1d159}]",
  "(?<![\\u1800-\\u18af])[\\u180b-\\u180d\\u180f]",
  `(?<!${VARYING})(?!(?<=[0-9#*])\\ufe0f\\u20e3)[\\ufe00-\\ufe0f]`,
  "(?<![\\u2e80-\\u9fff\\uf900-\\ufaff\\u{20000}-\\u{3ffff}])[\\u{e0100}-\\u{e01ef}]",
  "(?<![\\u2d30-\\u2d6f])\\u2d7f|(?<![\\u{11000}-\\u{1107e}])\\u{1107f}",
].join("|");
const ESCAPED = new RegExp(`(${JOINED})|(${UNSEEN})|[\\p{Cc}\\p{Cf}\\p{Cs}\\p{Zl}\\p{Zp}]`, "gu");

const UNSEEN_NAMES = {
  0x34f: "COMBINING GRAPHEME JOINER",
  0x115f: "HANGUL CHOSEONG FILLER",
  0x1160: "HANGUL JUNGSEONG FILLER",
  0x17b4: "KHMER VOWEL INHERENT AQ",
  0x17b5: "KHMER VOWEL INHERENT AA",
  0x180b: "MONGOLIAN FREE VARIATION SELECTOR ONE",
  0x180c: "MONGOLIAN FREE VARIATION SELECTOR TWO",
  0x180d: "MONGOLIAN FREE VARIATION SELECTOR THREE",
  0x180f: "MONGOLIAN FREE VARIATION SELECTOR FOUR",
  0x2800: "BRAILLE PATTERN BLANK",
  0x2d7f: "TIFINAGH CONSONANT JOINER",
  0x3164: "HANGUL FILLER",
  0xffa0: "HALFWIDTH HANGUL FILLER",
  0x1107f: "BRAHMI NUMBER JOINER",
  0x16fe4: "KHITAN SMALL SCRIPT FILLER",
  0x1d159: "MUSICAL SYMBOL NULL NOTEHEAD",
};

function unseenName(code) {
  if (code >= 0xe0100) return `VARIATION SELECTOR-${code - 0xe0100 + 17}`;
  return UNSEEN_NAMES[code] ?? `VARIATION SELECTOR-${code - 0xfe00 + 1}`;
}

/** A name safe to read, as `detector.schema.formatting.printable` writes it: what steers or turns text
 * as escapes, and others that cannot be seen by name. */
export function printable(text) {
  return text.replace(ESCAPED, (char, joined, unseen) => {
    if (joined) return joined;
    const code = char.codePointAt(0);
    if (unseen) return `[${unseenName(code)}]`;
    const short = { "\t": "\\t", "\n": "\\n", "\r": "\\r" }[char];
    const [letter, width] = code < 0x100 ? ["x", 2] : code < 0x10000 ? ["u", 4] : ["U", 8];
    return short ?? `\\${letter}${code.toString(16).padStart(width, "0")}`;
  });
}
