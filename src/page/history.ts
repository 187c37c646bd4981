/**
 * What the graphs show: a value a second for each stream, for the last minutes.
 * @module
 */

/** Samples kept: 5 minutes. */
export const HISTORY_SECONDS = 300;
/** Streams that are remembered; the one that was seen least recently is forgotten first. */
const STREAMS_MAX = 200;

/** One second of a stream; null: not known. */
export interface Sample {
  /** Whole seconds of the clock. */
  readonly second: number;
  readonly kbps: number | null;
  readonly serverMs: number | null;
  /** Of the player in this page. */
  readonly delayMs: number | null;
}

/** All streams' samples, by URL. */
export class History {
  readonly #streams = new Map<string, Sample[]>();

  /** Adds a sample; a second one in the same second takes the first one's place. */
  add(url: string, sample: Sample): void {
    const samples = this.#streams.get(url) ?? [];
    this.#streams.delete(url);
    this.#streams.set(url, samples);
    if (samples.at(-1)?.second === sample.second) samples.pop();
    samples.push(sample);
    while (samples[0].second <= sample.second - HISTORY_SECONDS) samples.shift();
    for (const oldest of this.#streams.keys()) {
      if (this.#streams.size <= STREAMS_MAX) break;
      this.#streams.delete(oldest);
    }
  }

  /** The samples of a stream, oldest first. */
  of(url: string): readonly Sample[] {
    return this.#streams.get(url) ?? [];
  }
}
