/**
 * The last so many measurements, for percentiles that stay true and small however long a probe runs.
 * @module
 */

/**
 * Measurements kept: four minutes of a usual stream. Sorting more of them, several times a second, would
 * delay what is being measured.
 */
const WINDOW = 16_384;

/** A ring of numbers. */
export class SampleWindow {
  #values = new Float64Array(256);
  #next = 0;
  /** Measurements so far, those that have left the window included. */
  count = 0;

  /** Adds one. */
  add(value: number): void {
    if (this.#next === this.#values.length && this.#next < WINDOW) {
      const grown = new Float64Array(2 * this.#values.length);
      grown.set(this.#values);
      this.#values = grown;
    }
    this.#next %= WINDOW;
    this.#values[this.#next++] = value;
    this.count++;
  }

  /** What is in the window, in ascending order. */
  sorted(): Float64Array {
    return this.#values.slice(0, Math.min(this.count, WINDOW)).sort();
  }
}

/** p50, p99 and so on of some measurements; ms. */
export interface Spread {
  readonly min: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

/** The spread of what is in a window, less `base`; null if nothing is. */
export function spread(window: SampleWindow, base = 0): Spread | null {
  return spreadOf(window.sorted(), base);
}

/** The spread of values in ascending order, less `base`; null if there are none. */
export function spreadOf(values: Float64Array, base = 0): Spread | null {
  if (values.length === 0) return null;
  const at = (share: number) => values[Math.ceil(share * values.length) - 1] - base;
  return { min: values[0] - base, p50: at(0.5), p99: at(0.99), max: at(1) };
}

/** What is in some windows, each less its own smallest value, in ascending order. */
export function sortedAboveLeast(...windows: readonly SampleWindow[]): Float64Array {
  const parts = windows.map((window) => {
    const values = window.sorted();
    const [least] = values;
    return values.map((value) => value - least);
  });
  const all = new Float64Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all.sort();
}
