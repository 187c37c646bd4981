/**
 * Reads typed values from the environment, else from the file, else from the defaults. It records each
 * value and its origin.
 * @module
 */
import { environmentPlace, type Place, quote } from "../grammar/diagnostic.ts";
import { type Entry, entryOf, withUnit } from "./directives.ts";
import { type Remarks } from "./remarks.ts";
import { LARGEST } from "./kinds.ts";
import type { Report } from "../grammar/report.ts";
import type { Block, Leaf, Reload } from "./spec.ts";
import { type Directive, firstNamed } from "../grammar/tree.ts";

/** Values of environment variables by name. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** One value in effect. */
export interface Setting {
  /** Dotted, for example `vhost.play.gop_cache`. */
  readonly path: string;
  /** Name of the vhost that it is for; null for the rest of the file. */
  readonly vhost: string | null;
  /** The value with its unit. */
  readonly text: string;
  /** The value for comparison. It may be a secret. */
  readonly raw: string;
  /** What a reload does with a change. */
  readonly reload: Reload;
  readonly origin: "file" | "env" | "default";
  /** The place of the directive or variable. Null for a default. */
  readonly place: Place | null;
}

/** State shared by all sections of one configuration. */
export interface Reading {
  readonly environment: Environment;
  readonly report: Report;
  readonly settings: Setting[];
}

/** The words of one directive, with their places. */
interface Given {
  readonly origin: "file" | "env";
  readonly words: readonly string[];
  readonly place: Place;
  readonly placeOf: (arg: number) => Place;
}

/** One block of the file, read by the table. The file may lack the block. */
export class Section {
  readonly #reading: Reading;
  readonly #block: Block;
  readonly #directives: readonly Directive[];
  readonly #vhost: string | null;

  constructor(
    reading: Reading,
    block: Block,
    directives: readonly Directive[],
    /** Name of the section's vhost. Null outside of vhosts. */
    vhost: string | null = null,
  ) {
    this.#reading = reading;
    this.#block = block;
    this.#directives = directives;
    this.#vhost = vhost;
  }

  /** The section of an inner block. It is empty when the file has no such block. */
  enter(block: Block): Section {
    const directive = firstNamed(this.#directives, this.#entry(block).name);
    return new Section(this.#reading, block, directive?.block ?? [], this.#vhost);
  }

  /** The place of a directive or its variable. Null when neither is given. */
  find(spec: Block | Leaf<unknown>): Place | null {
    const entry = this.#entry(spec);
    const variable = this.#variable(entry);
    if (variable !== undefined) return environmentPlace(variable);
    return firstNamed(this.#directives, entry.name)?.place ?? null;
  }

  /** Whether a directive is given with at least one word. */
  has(leaf: Leaf<unknown>): boolean {
    return this.#given(this.#entry(leaf), leaf) !== null;
  }

  /** The value of a directive, or `fallback`. A bad value is reported and not used. */
  get<T>(leaf: Leaf<T>, fallback: T = leaf.default): T {
    const entry = this.#entry(leaf);
    const given = this.#given(entry, leaf);
    const parsed = given ? this.#parse(leaf, entry, given) : undefined;
    const value = parsed ?? fallback;
    this.#reading.settings.push({
      path: entry.path,
      vhost: this.#vhost,
      text: withUnit(leaf, value),
      raw: leaf.kind.format(value),
      reload: entry.reload,
      origin: parsed === undefined || !given ? "default" : given.origin,
      place: given?.place ?? null,
    });
    if (!given) this.#warnWhenEmpty(entry, leaf, fallback);
    return value;
  }

  /**
   * The values of a directive that may be given several times, in the order of the file. Bad values are
   * reported and left out. Without any value, the default is recorded once.
   */
  all<T>(leaf: Leaf<T>): NonNullable<T>[] {
    const entry = this.#entry(leaf);
    const given = this.#directives.filter(({ name }) => name === entry.name);
    if (given.length === 0) this.get(leaf);
    const values: NonNullable<T>[] = [];
    for (const directive of given) {
      const value = new Section(this.#reading, this.#block, [directive], this.#vhost).get(leaf);
      if (value !== null && value !== undefined) values.push(value);
    }
    return values;
  }

  #parse<T>(leaf: Leaf<T>, { name }: Entry, { words, placeOf }: Given): T | undefined {
    const { report } = this.#reading;
    const remarks: Remarks = {
      odd: (text, arg = 0) => report.warn(placeOf(arg), `${name}: ${text}`),
      bad: (text, arg = 0) => report.error(placeOf(arg), `${name}: ${text}${expectation(leaf)}`),
    };
    if (words.length > 1 && !leaf.kind.list) {
      remarks.odd(`one value is expected, ${quote(words[1])} and what follows is ignored`, 1);
    }
    return leaf.kind.parse(words, remarks);
  }

  /** The words for a leaf from the environment, else from the file. Null when neither has a word. */
  #given<T>(entry: Entry, leaf: Leaf<T>): Given | null {
    const variable = this.#variable(entry);
    if (variable !== undefined) {
      const text = this.#reading.environment[variable] ?? "";
      const words = leaf.kind.list ? text.split(/\s+/).filter((word) => word !== "") : [text];
      const place = environmentPlace(variable);
      if (words.length > 0) return { origin: "env", words, place, placeOf: () => place };
    }
    const directive = firstNamed(this.#directives, entry.name);
    if (!directive || directive.args.length === 0) return null;
    const { place, args } = directive;
    return {
      origin: "file",
      words: args.map((arg) => arg.text),
      place,
      placeOf: (arg) => args[arg].place,
    };
  }

  /** The first variable of an entry that is set. An empty one counts as unset. */
  #variable({ variables }: Entry): string | undefined {
    return variables.find((variable) => this.#reading.environment[variable]);
  }

  #warnWhenEmpty<T>({ name }: Entry, leaf: Leaf<T>, fallback: T): void {
    const directive = firstNamed(this.#directives, name);
    if (!directive) return;
    if (leaf.guards) return this.#reading.report.error(directive.place, `${name} has no value`);
    this.#reading.report.warn(
      directive.place,
      `${name} has no value: ${withUnit(leaf, fallback)} is used, as if it were absent`,
    );
  }

  #entry(spec: Block | Leaf<unknown>): Entry {
    const entry = entryOf(spec);
    if (entry.parent !== this.#block) {
      throw new TypeError(`${entry.path} does not stand in ${this.#block.about}`);
    }
    return entry;
  }
}

/** The expected range of a number. Errors of other kinds name it themselves. */
function expectation<T>({ range, unit }: Leaf<T>): string {
  if (!range) return "";
  const bounds = range.max === LARGEST ? `${range.min} or more` : `${range.min} to ${range.max}`;
  return `; expected ${unit === "" ? "a number" : `a number of ${unit}`}, ${bounds}`;
}
