// Maps times of the exhibit to times of the reference, in seconds from the first frame.

/** A piece extends a frame beyond its last one, because a frame is shown until the next. */
export class TimeMap {
  constructor(pieces, frame) {
    this.pieces = pieces;
    this.frame = frame;
  }

  /** Return the piece that contains a time of the exhibit, or null. */
  piece(time) {
    return this.pieces.find(({ exhibit: [start, end] }) =>
      time >= start - this.frame / 2 && time < end + this.frame) ?? null;
  }

  /** Return how many seconds of the reference correspond to one second of the exhibit in a piece. */
  static speed({ exhibit: [a, b], reference: [c, d] }) {
    return b > a ? (d - c) / (b - a) : 1;
  }

  /** Return the time of the reference for a time of the exhibit; null if there is none. */
  reference(time) {
    const piece = this.piece(time);
    if (!piece) return null;
    return Math.max(0, piece.reference[0] + (time - piece.exhibit[0]) * TimeMap.speed(piece));
  }
}
