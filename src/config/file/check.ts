/**
 * Checks a tree against the directive table: unknown names, names that are not offered, repetitions,
 * blocks in place of values. `section.ts` checks the values themselves.
 * @module
 */
import type { Environment } from "../directives/section.ts";
import { environmentPlace, formatPlace, type Place, quote } from "../grammar/diagnostic.ts";
import { vhostKey } from "../vhost_name.ts";
import { allDirectives, type Entry, lookUp } from "../directives/directives.ts";
import type { Report } from "../grammar/report.ts";
import type { Block, Spec, Status } from "../directives/spec.ts";
import { unknownDirective } from "../directives/suggest.ts";
import { CONFIG } from "../directives/root.ts";
import { type Directive, firstNamed } from "../grammar/tree.ts";

/** What stands for a secret in `conf/secure.conf`. */
const EXAMPLE_SECRET = /^CHANGE_ME_/;

/** A directive that SRS knows and this server ignores. */
export interface Ignored {
  /** Dotted, for example `vhost.hls`. */
  readonly path: string;
  readonly place: Place;
  readonly status: Exclude<Status, "honoured">;
  /** Names of the directives inside, each once. */
  readonly contents: readonly string[];
  /** Description of what the server ignores, one line. */
  readonly about: string;
}

/**
 * Reports all wrong names in a tree and returns the ignored directives. A block that the file switches
 * off is not among them, because nothing is lost.
 */
export function checkTree(
  tree: readonly Directive[],
  environment: Environment,
  report: Report,
): Ignored[] {
  checkNotReferenceFile(tree, report);
  const checker = new Checker(environment, report);
  checker.block(CONFIG, tree, true);
  return checker.ignored;
}

/** Reports and returns the environment variables of directives that are not offered. */
export function checkEnvironment(environment: Environment, report: Report): Ignored[] {
  const ignored: Ignored[] = [];
  for (const entry of allDirectives()) {
    for (const variable of entry.variables) {
      const value = environment[variable];
      if (entry.status === "honoured" || !value) continue;
      const off = entry.name === "enabled"
        ? !isOn(entry.spec, value)
        : asksForNothing(entry.spec, value) || isOffByVariable(entry, environment);
      if (off) continue;
      const place = environmentPlace(variable);
      report.warn(place, ignoredMessage(entry));
      const { path, status, spec: { about } } = entry;
      ignored.push({ path, place, status, contents: [], about });
    }
  }
  return ignored;
}

/** Refuses SRS's full.conf, which turns on every feature and is marked with `is_full on`. */
function checkNotReferenceFile(tree: readonly Directive[], report: Report): void {
  const mark = firstNamed(tree, "is_full");
  if (mark?.args.at(0)?.text !== "on") return;
  report.error(
    mark.place,
    `never use full.conf(${mark.place.source.name}): it is a reference, copy what you need into a file of your own`,
  );
}

class Checker {
  readonly ignored: Ignored[] = [];
  readonly #environment: Environment;
  readonly #report: Report;

  constructor(environment: Environment, report: Report) {
    this.#environment = environment;
    this.#report = report;
  }

  /** Checks the directives of one block. `loses` is false where ignored directives are not reported. */
  block(block: Block, directives: readonly Directive[], loses: boolean): void {
    const first = new Map<string, Directive>();
    for (const directive of directives) {
      const entry = lookUp(block, directive.name);
      if (!entry) {
        if (!block.unchecked) {
          this.#report.error(directive.place, unknownDirective(directive.name, block));
        }
        continue;
      }
      const { spec, status } = entry;
      const off = this.#isOff(spec, directive);
      if (status === "honoured") {
        this.#repetition(entry, directive, first);
        this.#shape(entry, directive);
      } else if (loses && !off) {
        this.#ignore(entry, status, directive);
      }
      if (spec.type === "block") {
        this.block(spec, directive.block ?? [], loses && !off && status === "honoured");
      }
    }
  }

  #ignore(entry: Entry, status: Ignored["status"], directive: Directive): void {
    this.#report.warn(directive.place, ignoredMessage(entry));
    const contents = [...new Set((directive.block ?? []).map((child) => child.name))];
    const { path, spec: { about } } = entry;
    this.ignored.push({ path, place: directive.place, status, contents, about });
  }

  /** Whether a block is switched off, or a flag keeps its default `off`. */
  #isOff(spec: Spec, { args, block }: Directive): boolean {
    if (spec.type === "leaf") return asksForNothing(spec, args.at(0)?.text);
    if (block === null) return false;
    const enabled = enabledOf(spec);
    const variable = enabled?.variables.find((name) => this.#environment[name]);
    const word = variable === undefined
      ? firstNamed(block, "enabled")?.args.at(0)?.text
      : this.#environment[variable];
    return enabled ? !isOn(enabled.spec, word) : word === "off";
  }

  /**
   * Reports repetitions. The first directive of a name counts. Named blocks are vhosts: the rules of a
   * second one would not be there, so that it is an error (H47; SRS takes the first without a word).
   */
  #repetition({ spec }: Entry, directive: Directive, first: Map<string, Directive>): void {
    const named = spec.type === "block" && spec.named;
    if (spec.repeats && !named) return;
    const text = directive.args.at(0)?.text ?? "";
    const key = named ? `${directive.name} ${vhostKey(text)}` : directive.name;
    const earlier = first.get(key);
    if (!earlier) return void first.set(key, directive);
    if (named) {
      const other = earlier.args.at(0)?.text ?? "";
      const what = other === text
        ? "is there already"
        : `is the same as ${quote(other)}, case and a final dot do not count`;
      const place = formatPlace(earlier.place);
      return this.#report.error(
        directive.place,
        `${directive.name} ${quote(text)} ${what}: put its directives into the block at ${place}`,
      );
    }
    this.#report.warn(
      directive.place,
      `${key} is given again and ignored: the one at ${
        formatPlace(earlier.place)
      } counts, remove one`,
    );
  }

  #shape({ spec, name, path }: Entry, { place, args, block }: Directive): void {
    if (spec.type === "leaf") {
      const example = spec.secret ? args.find(({ text }) => EXAMPLE_SECRET.test(text)) : undefined;
      if (example) {
        this.#report.warn(
          example.place,
          `${path} is the word of an example that everybody knows: put one of your own ` +
            "(openssl rand -hex 16 makes one)",
        );
      }
      if (block) this.#report.warn(place, `${name} takes a value: its block { } is ignored`);
      return;
    }
    if (spec.named && args.length === 0) {
      this.#report.error(place, `${name} needs a name, for example: vhost __defaultVhost__ { }`);
    }
    if (!block) this.#report.warn(place, `${name} is a block and has none: its defaults are used`);
    const surplus = args.at(spec.named ? 1 : 0);
    if (surplus) this.#report.warn(surplus.place, `${quote(surplus.text)} is ignored`);
  }
}

/** The `enabled` of a block, if the table has one there. */
function enabledOf(block: Block): Entry | null {
  return lookUp(block, "enabled");
}

/** How SRS reads the word after `enabled`, or its absence. */
function isOn({ type, ...spec }: Spec, word: string | undefined): boolean {
  const preferred = type === "leaf" && "default" in spec && spec.default === true;
  return preferred ? word !== "off" : word === "on";
}

/** Whether a directive is a flag that is off by default and stays off. */
function asksForNothing(spec: Spec, word: string | undefined): boolean {
  if (spec.type !== "leaf" || word === undefined) return false;
  return spec.default === false && word !== "on";
}

/** Whether the block of a directive has a flag that the environment could turn on and has not. */
function isOffByVariable({ parent, status }: Entry, environment: Environment): boolean {
  const enabled = enabledOf(parent);
  if (!enabled || enabled.variables.length === 0) return false;
  const word = enabled.variables.map((variable) => environment[variable]).find(Boolean);
  // Without such a variable the file decides, and a block that is not offered has its own warning.
  if (word === undefined && enabled.status !== status) return false;
  return !isOn(enabled.spec, word);
}

function ignoredMessage({ path, status }: Entry): string {
  return status === "relic"
    ? `${path} has no effect and is ignored: remove it`
    : `${path} is known to SRS but not offered here, it is ignored`;
}
