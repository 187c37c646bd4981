/**
 * A strict reader of Prometheus' text format, for tests: what it takes, every scraper takes.
 * @module
 */
import assert from "node:assert/strict";

/** One sample. */
export interface Sample {
  /** Name with the suffix of a histogram's parts. */
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** One metric with its samples. */
export interface Metric {
  readonly name: string;
  readonly type: string;
  readonly help: string;
  readonly samples: Sample[];
}

const NAME = "[a-zA-Z_:][a-zA-Z0-9_:]*";
const LABEL = /^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"(,|$)/;
const VALUE = /^[+-]?(?:\d+(?:\.\d+)?(?:e[+-]?\d+)?|Inf|NaN)$/;

/** The metrics of a text by name. @throws AssertionError where the text is not as it must be. */
export function parseExposition(text: string): Map<string, Metric> {
  assert.ok(text.endsWith("\n"), "the last line ends with a newline");
  // deno-lint-ignore no-control-regex -- that is what is looked for
  assert.doesNotMatch(text, /[\x00-\x09\x0b-\x1f\x7f]/, "no control character");
  const metrics = new Map<string, Metric>();
  const seen = new Set<string>();
  let current: Metric | null = null;
  let help = "";
  for (const line of text.slice(0, -1).split("\n")) {
    const comment = new RegExp(`^# (HELP|TYPE) (${NAME}) (.+)$`).exec(line);
    if (comment) {
      const [, what, name, rest] = comment;
      if (what === "HELP") {
        help = rest;
        continue;
      }
      assert.match(rest, /^(counter|gauge|histogram)$/, line);
      assert.ok(!metrics.has(name), `${name} is there twice`);
      current = { name, type: rest, help, samples: [] };
      metrics.set(name, current);
      continue;
    }
    assert.ok(current, `a sample before its TYPE: ${line}`);
    const sample = parseSample(line);
    const parts = current.type === "histogram" ? ["_bucket", "_sum", "_count"] : [""];
    const { name } = current;
    assert.ok(parts.some((part) => sample.name === name + part), `${line} is no part of ${name}`);
    const key = JSON.stringify([sample.name, Object.entries(sample.labels).sort()]);
    assert.ok(!seen.has(key), `twice: ${line}`);
    seen.add(key);
    current.samples.push(sample);
  }
  for (const metric of metrics.values()) check(metric);
  return metrics;
}

/** The value of a metric that has one sample. */
export function valueOf(metrics: ReadonlyMap<string, Metric>, name: string): number {
  const samples = metrics.get(name)?.samples ?? [];
  assert.equal(samples.length, 1, `${name} has one sample`);
  return samples[0].value;
}

function parseSample(line: string): Sample {
  const match = new RegExp(`^(${NAME})(?:\\{(.*)\\})? (\\S+)$`).exec(line);
  assert.ok(match, `no sample: ${line}`);
  const [, name, set = "", value] = match;
  assert.match(value, VALUE, line);
  const labels: Record<string, string> = {};
  let rest = set;
  while (rest !== "") {
    const label = LABEL.exec(rest);
    assert.ok(label, `labels: ${line}`);
    assert.ok(!Object.hasOwn(labels, label[1]), `label ${label[1]} twice: ${line}`);
    labels[label[1]] = label[2].replace(/\\(.)/g, (_, char) => char === "n" ? "\n" : char);
    rest = rest.slice(label[0].length);
  }
  return { name, labels, value: Number(value.replace("Inf", "Infinity")) };
}

function check({ name, type, help, samples }: Metric): void {
  assert.ok(help !== "" && samples.length > 0, name);
  if (type === "counter") assert.ok(samples.every(({ value }) => value >= 0), name);
  if (type !== "histogram") return;
  const buckets = samples.filter((sample) => sample.name === `${name}_bucket`);
  let bound = -Infinity;
  let count = 0;
  for (const { labels, value } of buckets) {
    const le = labels.le === "+Inf" ? Infinity : Number(labels.le);
    assert.ok(le > bound && value >= count, `${name}: buckets grow`);
    bound = le;
    count = value;
  }
  assert.equal(bound, Infinity, `${name}: the last bucket`);
  const total = samples.find((sample) => sample.name === `${name}_count`);
  assert.equal(total?.value, count, `${name}: the count is that of the last bucket`);
}
