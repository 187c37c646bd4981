/**
 * Prometheus' text format, version 0.0.4. Written here because the figures are counted elsewhere, in
 * plain numbers: client libraries want to do the counting themselves, one value at a time, and cannot be
 * given a histogram that is there already.
 * @module
 */

import { sanitize } from "../../../log/text.ts";

/** Content type of the format. */
export const EXPOSITION_TYPE = "text/plain; version=0.0.4; charset=utf-8";

/** Names and values of a sample's labels; those without a value are left out. */
export type Labels = Readonly<Record<string, string | undefined>>;

/** One value of a metric. */
export interface Sample {
  readonly labels: Labels;
  readonly value: number;
}

/** Collects metrics. Each name is to be used once. */
export class Exposition {
  readonly #lines: string[] = [];

  /** A value that goes up and down: one, or one for each set of labels. */
  gauge(name: string, help: string, value: number | readonly Sample[]): void {
    this.#metric(name, "gauge", help, value);
  }

  /** A value that only grows. */
  counter(name: string, help: string, value: number | readonly Sample[]): void {
    this.#metric(name, "counter", help, value);
  }

  /**
   * A histogram.
   * @param bounds upper bounds of the buckets, growing
   * @param counts what is in each bucket, not cumulated; one more than bounds
   */
  histogram(
    name: string,
    help: string,
    bounds: readonly number[],
    counts: readonly number[],
    sum: number,
  ): void {
    this.#head(name, "histogram", help);
    let total = 0;
    counts.forEach((count, i) => {
      total += count;
      const le = i < bounds.length ? String(bounds[i]) : "+Inf";
      this.#sample(`${name}_bucket`, { le }, total);
    });
    this.#sample(`${name}_sum`, {}, sum);
    this.#sample(`${name}_count`, {}, total);
  }

  /** The text, with a newline at its end. */
  toString(): string {
    return `${this.#lines.join("\n")}\n`;
  }

  #metric(name: string, type: string, help: string, value: number | readonly Sample[]): void {
    const samples = typeof value === "number" ? [{ labels: {}, value }] : value;
    if (samples.length === 0) return;
    this.#head(name, type, help);
    for (const sample of samples) this.#sample(name, sample.labels, sample.value);
  }

  #head(name: string, type: string, help: string): void {
    this.#lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`);
  }

  #sample(name: string, labels: Labels, value: number): void {
    const pairs: string[] = [];
    for (const [label, text] of Object.entries(labels)) {
      if (text !== undefined && text !== "") pairs.push(`${label}="${escape(text)}"`);
    }
    const set = pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
    this.#lines.push(`${name}${set} ${Number.isFinite(value) ? value : 0}`);
  }
}

/** A label's value: controls as in the log, then what the format asks for. */
function escape(text: string): string {
  return sanitize(text).replaceAll("\\", "\\\\").replaceAll('"', '\\"');
}
