/**
 * Holds a tree against the directive table: unknown names, names that are not offered here, repetitions,
 * blocks where a value belongs. Values are checked when they are read (`section.ts`).
 * @module
 */
import { environmentPlace, formatPlace, type Place, quote } from "./diagnostic.ts";
import { allDirectives, type Entry, lookUp } from "./directives.ts";
import type { Report } from "./report.ts";
import type { Block, Status } from "./spec.ts";
import { unknownDirective } from "./suggest.ts";
import { CONFIG } from "./table_root.ts";
import { type Directive, firstNamed } from "./tree.ts";

/** Values of environment variables by name. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** A directive that SRS knows and that has no effect here. */
export interface Ignored {
  /** Dotted, for example `vhost.hls`. */
  readonly path: string;
  readonly place: Place;
  readonly status: Exclude<Status, "honoured">;
  /** Names of the directives in it, each once. */
  readonly contents: readonly string[];
}

/** Reports everything that is wrong with the names in a tree; returns what is ignored. */
export function checkTree(tree: readonly Directive[], report: Report): Ignored[] {
  checkNotReferenceFile(tree, report);
  const checker = new Checker(report);
  checker.block(CONFIG, tree, true);
  return checker.ignored;
}

/** Reports the variables that are set for directives that are not offered; returns them. */
export function checkEnvironment(environment: Environment, report: Report): Ignored[] {
  const ignored: Ignored[] = [];
  for (const entry of allDirectives()) {
    for (const variable of entry.variables) {
      if (entry.status === "honoured" || !environment[variable]) continue;
      const place = environmentPlace(variable);
      report.warn(place, ignoredMessage(entry));
      ignored.push({ path: entry.path, place, status: entry.status, contents: [] });
    }
  }
  return ignored;
}

/** SRS's full.conf turns on everything at once and marks itself, so that nobody runs it. */
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
  readonly #report: Report;

  constructor(report: Report) {
    this.#report = report;
  }

  /** Checks the directives of one block. `offered` is false inside of what was reported as ignored. */
  block(block: Block, directives: readonly Directive[], offered: boolean): void {
    const first = new Map<string, Directive>();
    for (const directive of directives) {
      const entry = lookUp(block, directive.name);
      if (!entry) {
        if (!block.unchecked) {
          this.#report.error(directive.place, unknownDirective(directive.name, block));
        }
        continue;
      }
      const honoured = entry.status === "honoured";
      if (honoured) {
        this.#repetition(entry, directive, first);
        this.#shape(entry, directive);
      } else if (offered) {
        this.#ignore(entry, entry.status, directive);
      }
      if (entry.spec.type === "block") this.block(entry.spec, directive.block ?? [], honoured);
    }
  }

  #ignore(entry: Entry, status: Ignored["status"], directive: Directive): void {
    this.#report.warn(directive.place, ignoredMessage(entry));
    const contents = [...new Set((directive.block ?? []).map((child) => child.name))];
    this.ignored.push({ path: entry.path, place: directive.place, status, contents });
  }

  /** The first directive of a name counts; of blocks with names, the first of each. */
  #repetition({ spec }: Entry, directive: Directive, first: Map<string, Directive>): void {
    const named = spec.type === "block" && spec.named;
    if (spec.repeats && !named) return;
    const what = named
      ? `${directive.name} ${quote(directive.args.at(0)?.text ?? "")}`
      : directive.name;
    const earlier = first.get(what);
    if (!earlier) return void first.set(what, directive);
    this.#report.warn(
      directive.place,
      `${what} is given again and ignored: the one at ${
        formatPlace(earlier.place)
      } counts, remove one`,
    );
  }

  #shape({ spec, name }: Entry, { place, args, block }: Directive): void {
    if (spec.type === "leaf") {
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

function ignoredMessage({ path, status }: Entry): string {
  return status === "relic"
    ? `${path} has no effect and is ignored: remove it`
    : `${path} is known to SRS but not offered here, it is ignored`;
}
