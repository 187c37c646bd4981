/**
 * What the table says about one directive, and the small functions that the table is written with.
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
import type { ListenAddress } from "./types.ts";

/**
 * `honoured`: it does here what it does in SRS. `not offered`: SRS knows it, this server does not do it;
 * one warning, then ignored. `relic`: accepted although it means nothing, here or in SRS.
 */
export type Status = "honoured" | "not offered" | "relic";

/**
 * What a reload does with a change. `live`: the next client, publisher or request sees it. `applied`:
 * present connections and streams change too. `restart`: it needs one. `none`: there is nothing to change.
 */
export type Reload = "live" | "applied" | "restart" | "none";

/** The unit of a number. */
export type Unit = "ms" | "s" | "bytes" | "frames" | "messages" | "connections" | "";

/** What leaves and blocks have in common. */
export interface Traits {
  /** That of the block around it, when not given. */
  readonly status?: Status;
  /** The environment variables that override it; `true` for the one that its path gives. */
  readonly env?: true | readonly string[];
  /** `restart` when not given. */
  readonly reload?: Reload;
  /** May stand several times in its block, and every one counts. */
  readonly repeats?: boolean;
  /** Without a value it is an error, not the default: who forgot the word wants no open door. */
  readonly guards?: boolean;
  /** Its value is not to be shown. */
  readonly secret?: boolean;
}

/** A directive with a value. */
export interface Leaf<T> extends Traits {
  readonly type: "leaf";
  /** One line for people. */
  readonly about: string;
  readonly kind: Kind<T>;
  readonly default: T;
  readonly unit: Unit;
  /** Null when it is not a number. */
  readonly range: Range | null;
}

/** A directive with directives in braces. */
export interface Block extends Traits {
  readonly type: "block";
  readonly about: string;
  readonly children: Specs;
  /** Whether it has a name of its own, as `vhost NAME { }`. */
  readonly named?: boolean;
  /** SRS never looks at the names inside: any are accepted. */
  readonly unchecked?: boolean;
}

/** Any entry of the table. */
export type Spec = Leaf<unknown> | Block;

/** The directives of a block by name. */
export type Specs = Readonly<Record<string, Spec>>;

type NumberTraits = Traits & { readonly unit?: Unit } & Partial<Range>;

/** A boolean. `prefer` is what any word but `on` and `off` means, and the default unless given. */
export function flag(
  prefer: "on" | "off",
  about: string,
  traits: Traits & { readonly default?: boolean } = {},
): Leaf<boolean> {
  const preset = { default: prefer === "on", ...traits };
  return { type: "leaf", about, kind: booleanKind(prefer), unit: "", range: null, ...preset };
}

/** A whole number; from 0 to the largest C int unless said otherwise. */
export function integer(preset: number, about: string, traits: NumberTraits = {}): Leaf<number> {
  return numeric(integerKind, preset, about, traits);
}

/** A number with a fraction. */
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

/** A value of a kind that one directive alone has. */
export function leaf<T>(kind: Kind<T>, preset: T, about: string, traits: Traits = {}): Leaf<T> {
  return { type: "leaf", about, kind, default: preset, unit: "", range: null, ...traits };
}

/** One word, path or URL. An empty default means none. */
export function text(preset: string, about: string, traits: Traits = {}): Leaf<string> {
  return { type: "leaf", about, kind: textKind, default: preset, unit: "", range: null, ...traits };
}

/** Any number of words. */
export function texts(about: string, traits: Traits = {}): Leaf<readonly string[]> {
  return { type: "leaf", about, kind: textListKind, default: [], unit: "", range: null, ...traits };
}

/** One of a few words, given with their meanings; every other word means `otherwise`. */
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
 * Leaves of a feature that is not here, of which only the name and a description matter: their values
 * are not looked at.
 */
export function names(
  abouts: Readonly<Record<string, string>>,
): Record<string, Leaf<readonly string[]>> {
  return Object.fromEntries(Object.entries(abouts).map(([name, about]) => [name, texts(about)]));
}
