/**
 * Counts of times, cheap to add to and small to hand over.
 * @module
 */

/** Buckets per power of two: times are told apart to within 1.6 %. */
const PER_OCTAVE = 64;
const OCTAVE_BITS = Math.log2(PER_OCTAVE);
/** Times below this are counted exactly, one bucket per µs. */
const EXACT = 2 * PER_OCTAVE;
const BUCKETS = EXACT + (31 - OCTAVE_BITS) * PER_OCTAVE;

/** What one process hands to another: bucket numbers and counts in turn, and the largest time. */
export interface HistogramData {
  readonly counts: readonly number[];
  readonly max: number;
}

/** A histogram of times in µs. */
export class Histogram {
  readonly #counts = new Uint32Array(BUCKETS);
  #total = 0;
  #max = 0;

  /** Counts one time in µs. */
  add(us: number): void {
    const time = us < 0 ? 0 : us | 0;
    this.#counts[bucketOf(time)]++;
    this.#total++;
    if (time > this.#max) this.#max = time;
  }

  /** Forgets all. */
  clear(): void {
    this.#counts.fill(0);
    this.#total = 0;
    this.#max = 0;
  }

  /** How many times have been counted. */
  get total(): number {
    return this.#total;
  }

  /** The largest, µs. */
  get max(): number {
    return this.#max;
  }

  /** The time, µs, that a share (0..1) of all is not above; NaN without any. */
  quantile(share: number): number {
    if (this.#total === 0) return NaN;
    let left = share * this.#total;
    for (let i = 0; i < BUCKETS; i++) {
      left -= this.#counts[i];
      if (left <= 0 && this.#counts[i] > 0) return Math.min(this.#max, middleOf(i));
    }
    return this.#max;
  }

  /** For another process. */
  toData(): HistogramData {
    const counts: number[] = [];
    this.#counts.forEach((count, bucket) => {
      if (count > 0) counts.push(bucket, count);
    });
    return { counts, max: this.#max };
  }

  /** Adds what another process has counted. */
  merge(data: HistogramData): void {
    for (let i = 0; i + 1 < data.counts.length; i += 2) {
      this.#counts[data.counts[i]] += data.counts[i + 1];
      this.#total += data.counts[i + 1];
    }
    this.#max = Math.max(this.#max, data.max);
  }
}

function bucketOf(us: number): number {
  if (us < EXACT) return us;
  const octave = 31 - Math.clz32(us) - OCTAVE_BITS;
  return octave * PER_OCTAVE + (us >> octave);
}

function middleOf(bucket: number): number {
  if (bucket < EXACT) return bucket;
  const octave = Math.floor(bucket / PER_OCTAVE) - 1;
  const low = (bucket - octave * PER_OCTAVE) * 2 ** octave;
  return low + 2 ** (octave - 1);
}
