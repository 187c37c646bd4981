/**
 * The description of one directive in the table, and the functions that make such descriptions.
 * @module
 */
import {
  booleanKind,
  choiceKind,
  decimalKind,
  integerKind,
  type Kind,
  LARGEST,
  listenKind,
  listenListKind,
  type Range,
  textKind,
  textListKind,
} from "./kinds.ts";
import type { ListenAddress } from "../types.ts";

/**
 * `honoured`: works as in SRS. `not offered`: SRS knows the directive; this server ignores it with one
 * warning. `relic`: accepted, without effect here or in SRS.
 */
export type Status = "honoured" | "not offered" | "relic";

/**
 * What a reload does with a change. `live`: the next client, publisher or request gets the new value.
 * `applied`: present connections and streams get it too. `restart`: the new value needs a restart.
 * `none`: the directive has no effect.
 */
export type Reload = "live" | "applied" | "restart" | "none";

/** The unit of a number. */
export type Unit = "ms" | "s" | "bytes" | "frames" | "messages" | "connections" | "";

/** Properties of leaves and blocks. */
export interface Traits {
  /** The default is the status of the enclosing block. */
  readonly status?: Status;
  /** Environment variables that override the directive. `true`: the one named after its path. */
  readonly env?: true | readonly string[];
  /** The default is `restart`. */
  readonly reload?: Reload;
  /** Whether the directive may be given several times in its block, each with effect. */
  readonly repeats?: boolean;
  /** Whether a missing value is an error. An access rule must not fall back to its open default. */
  readonly guards?: boolean;
  /** Whether the value is hidden in output. */
  readonly secret?: boolean;
}

/** A directive with a value. */
export interface Leaf<T> extends Traits {
  readonly type: "leaf";
  /** Description, one line. */
  readonly about: string;
  readonly kind: Kind<T>;
  readonly default: T;
  readonly unit: Unit;
  /** Null unless the value is a number. */
  readonly range: Range | null;
}

/** A directive that contains directives. */
export interface Block extends Traits {
  readonly type: "block";
  readonly about: string;
  readonly children: Specs;
  /** Whether the block has a name, as in `vhost NAME { }`. */
  readonly named?: boolean;
  /** Whether any name is accepted inside, because SRS does not check them. */
  readonly unchecked?: boolean;
}

/** Any entry of the table. */
export type Spec = Leaf<unknown> | Block;

/** The directives of a block by name. */
export type Specs = Readonly<Record<string, Spec>>;

type NumberTraits = Traits & { readonly unit?: Unit } & Partial<Range>;

/**
 * A boolean. `prefer` is the meaning of any word except `on` and `off`, and the default unless given.
 */
export function flag(
  prefer: "on" | "off",
  about: string,
  traits: Traits & { readonly default?: boolean } = {},
): Leaf<boolean> {
  const preset = { default: prefer === "on", ...traits };
  return { type: "leaf", about, kind: booleanKind(prefer), unit: "", range: null, ...preset };
}

/** A whole number. The default range is 0 to the largest C int. */
export function integer(preset: number, about: string, traits: NumberTraits = {}): Leaf<number> {
  return numeric(integerKind, preset, about, traits);
}

/** A decimal number. */
export function decimal(preset: number, about: string, traits: NumberTraits = {}): Leaf<number> {
  return numeric(decimalKind, preset, about, traits);
}

function numeric(
  kindOf: (range: Range) => Kind<number>,
  preset: number,
  about: string,
  { unit = "", min = 0, max = LARGEST, below = "cut", ...traits }: NumberTraits,
): Leaf<number> {
  const range: Range = { min, max, below };
  return { type: "leaf", about, kind: kindOf(range), default: preset, unit, range, ...traits };
}

/** A value of a special kind. */
export function leaf<T>(kind: Kind<T>, preset: T, about: string, traits: Traits = {}): Leaf<T> {
  return { type: "leaf", about, kind, default: preset, unit: "", range: null, ...traits };
}

/** One word, path or URL. An empty default means no value. */
export function text(preset: string, about: string, traits: Traits = {}): Leaf<string> {
  return { type: "leaf", about, kind: textKind, default: preset, unit: "", range: null, ...traits };
}

/** Any number of words. */
export function texts(about: string, traits: Traits = {}): Leaf<readonly string[]> {
  return { type: "leaf", about, kind: textListKind, default: [], unit: "", range: null, ...traits };
}

/** One of several words, given with their meanings. Any other word means `otherwise`. */
export function choice<T>(
  words: Readonly<Record<string, T>>,
  options: { readonly default: T; readonly otherwise: T },
  about: string,
  traits: Traits = {},
): Leaf<T> {
  const kind = choiceKind(new Map(Object.entries(words)), options.otherwise);
  return { type: "leaf", about, kind, default: options.default, unit: "", range: null, ...traits };
}

/** One address to listen on. */
export function listen(
  preset: ListenAddress,
  about: string,
  traits: Traits = {},
): Leaf<ListenAddress> {
  return {
    type: "leaf",
    about,
    kind: listenKind,
    default: preset,
    unit: "",
    range: null,
    ...traits,
  };
}

/** Several addresses to listen on. */
export function listenList(about: string, traits: Traits = {}): Leaf<readonly ListenAddress[]> {
  return {
    type: "leaf",
    about,
    kind: listenListKind,
    default: [],
    unit: "",
    range: null,
    ...traits,
  };
}

/** A block. */
export function block(
  children: Specs,
  about: string,
  traits: Traits & Pick<Block, "named" | "unchecked"> = {},
): Block {
  return { type: "block", about, children, ...traits };
}

/**
 * Leaves of a feature that is not offered. Only their names and descriptions matter; their values are
 * not read.
 */
export function names(
  abouts: Readonly<Record<string, string>>,
): Record<string, Leaf<readonly string[]>> {
  return Object.fromEntries(Object.entries(abouts).map(([name, about]) => [name, texts(about)]));
}
