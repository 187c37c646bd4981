/**
 * A histogram of delays with fixed bounds: adding to it allocates nothing and costs some 50 ns, however
 * many players are meant.
 * @module
 */

/** Upper bounds of the buckets, ms; one more bucket takes what is above the last. */
export const DELAY_BOUNDS_MS: readonly number[] = [
  0.25,
  0.5,
  1,
  2,
  5,
  10,
  20,
  50,
  100,
  200,
  500,
  1000,
  2000,
  5000,
  10_000,
  30_000,
];

/** Counts of delays. */
export class DelayHistogram {
  /** Delays in each bucket, not cumulated. */
  readonly counts = new Float64Array(DELAY_BOUNDS_MS.length + 1);
  /** Sum of all delays, ms. */
  sumMs = 0;

  /** Adds a delay in ms; a negative one, by a clock's grain, counts as none. */
  add(delayMs: number): void {
    const delay = Math.max(0, delayMs);
    let bucket = 0;
    while (bucket < DELAY_BOUNDS_MS.length && delay > DELAY_BOUNDS_MS[bucket]) bucket++;
    this.counts[bucket]++;
    this.sumMs += delay;
  }

  /**
   * Adds `count` delays that lie evenly between two, ms: what a row of players is served one after the
   * other in a flush.
   */
  addEvenly(fromMs: number, toMs: number, count: number): void {
    const from = Math.max(0, fromMs);
    const width = Math.max(0, toMs - from);
    this.sumMs += count * (from + width / 2);
    let before = 0;
    for (let bucket = 0; before < count; bucket++) {
      const bound = bucket < DELAY_BOUNDS_MS.length ? DELAY_BOUNDS_MS[bucket] : Infinity;
      // How many of them are at or below the bound.
      const below = bound >= from + width
        ? count
        : bound <= from
        ? 0
        : Math.round(count * (bound - from) / width);
      this.counts[bucket] += below - before;
      before = below;
    }
  }

  /** Adds what another histogram has. */
  addAll(other: DelayHistogram): void {
    for (let i = 0; i < this.counts.length; i++) this.counts[i] += other.counts[i];
    this.sumMs += other.sumMs;
  }
}

/**
 * The delay in ms that a fraction `q` of the counted ones do not exceed, interpolated within its bucket;
 * null when nothing was counted. `counts` as in {@link DelayHistogram}.
 */
export function quantileMs(counts: ArrayLike<number>, q: number): number | null {
  let total = 0;
  for (let i = 0; i < counts.length; i++) total += counts[i];
  if (total === 0) return null;
  let rank = q * total;
  for (let i = 0; i < DELAY_BOUNDS_MS.length; i++) {
    const lower = i === 0 ? 0 : DELAY_BOUNDS_MS[i - 1];
    if (counts[i] > 0 && rank <= counts[i]) {
      return lower + (DELAY_BOUNDS_MS[i] - lower) * rank / counts[i];
    }
    rank -= counts[i];
  }
  return DELAY_BOUNDS_MS[DELAY_BOUNDS_MS.length - 1];
}
