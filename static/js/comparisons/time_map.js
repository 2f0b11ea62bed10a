// Which moment of the reference belongs to a moment of the exhibit. Times are seconds from the first frame.

/** Half a frame beyond its last one a piece still holds: a frame is shown until the next. */
export class TimeMap {
  constructor(pieces, frame) {
    this.pieces = pieces;
    this.frame = frame;
  }

  /** The piece that holds a moment of the exhibit, or null. */
  piece(time) {
    return this.pieces.find(({ exhibit: [start, end] }) =>
      time >= start - this.frame / 2 && time < end + this.frame) ?? null;
  }

  /** Seconds of the reference in one of the exhibit, in a piece. */
  static speed({ exhibit: [a, b], reference: [c, d] }) {
    return b > a ? (d - c) / (b - a) : 1;
  }

  /** The moment of the reference that belongs to one of the exhibit; null where there is none. */
  reference(time) {
    const piece = this.piece(time);
    if (!piece) return null;
    return Math.max(0, piece.reference[0] + (time - piece.exhibit[0]) * TimeMap.speed(piece));
  }
}
