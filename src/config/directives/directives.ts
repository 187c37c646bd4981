/**
 * The index of the directive table: every directive of SRS 7, by path and by place in the tree. Checks,
 * summary, environment overrides and reference read it. To offer a directive, change its status in
 * `table_*.ts` and read it in `build.ts`.
 * @module
 */
import type { Block, Leaf, Reload, Spec, Status } from "./spec.ts";
import { CONFIG } from "./root.ts";

/** One directive, with the properties that follow from its place in the table. */
export interface Entry {
  readonly spec: Spec;
  readonly name: string;
  /** Dotted, for example `vhost.play.gop_cache`. */
  readonly path: string;
  /** The enclosing block. */
  readonly parent: Block;
  readonly status: Status;
  /** What a reload does with a change. */
  readonly reload: Reload;
  /** Environment variables that override it. The first that is set wins. Empty for most. */
  readonly variables: readonly string[];
}

const INDEX: ReadonlyMap<Spec, Entry> = new Map(
  entriesOf(CONFIG, "", "honoured").map((entry) => [entry.spec, entry]),
);

/** Every directive of the table, each block before its contents. */
export function allDirectives(): Entry[] {
  return [...INDEX.values()];
}

/** The entry of a leaf or block. Throws TypeError when the table does not contain it. */
export function entryOf(spec: Spec): Entry {
  const entry = INDEX.get(spec);
  if (!entry) throw new TypeError(`not in the directive table: ${spec.about}`);
  return entry;
}

/** The entry for a name in a block. Null when SRS does not know the name there. */
export function lookUp(block: Block, name: string): Entry | null {
  // A name from a file may be `constructor`: only own properties count.
  return Object.hasOwn(block.children, name) ? entryOf(block.children[name]) : null;
}

/** A leaf's value with its unit. A secret becomes `***`. */
export function withUnit<T>(leaf: Leaf<T>, value: T): string {
  if (leaf.secret && String(value)) return "***";
  return [leaf.kind.format(value), leaf.unit].filter((part) => part !== "").join(" ");
}

function entriesOf(parent: Block, prefix: string, inherited: Status): Entry[] {
  return Object.entries(parent.children).flatMap(([name, spec]) => {
    const path = prefix + name;
    const status = spec.status ?? inherited;
    const reload = spec.reload ?? "restart";
    const variables = variablesOf(spec, path);
    const entry: Entry = { spec, name, path, parent, status, reload, variables };
    return spec.type === "block" ? [entry, ...entriesOf(spec, `${path}.`, status)] : [entry];
  });
}

function variablesOf(spec: Spec, path: string): readonly string[] {
  if (spec.env === undefined) return [];
  return spec.env === true ? [`SRS_${path.replaceAll(".", "_").toUpperCase()}`] : spec.env;
}
