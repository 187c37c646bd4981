/**
 * Rewrites old spellings, as SRS does before it checks a file. Each rewrite gives a warning. A
 * directive that moves into a block is appended to it, so that an explicit new spelling wins.
 * @module
 */
import { formatPlace } from "./diagnostic.ts";
import type { Report } from "./report.ts";
import { type Directive, firstNamed, type Word } from "./tree.ts";

/** New names of directives at the root, by old name. */
const ROOT_NAMES: ReadonlyMap<string, string> = new Map([["http_stream", "http_server"]]);

/** The new place of a directive of a vhost. */
interface Home {
  readonly block: string;
  readonly name: string;
}

const MOVED: ReadonlyMap<string, Home> = new Map([
  ...moved("play", [
    "time_jitter",
    "mix_correct",
    "atc",
    "atc_auto",
    "mw_latency",
    "gop_cache",
    "gop_cache_max_frames",
    "queue_length",
    "send_min_interval",
    "reduce_sequence_header",
  ]),
  ...moved("cluster", ["mode", "origin", "token_traverse", "vhost", "debug_srs_upnode"]),
  ["publish_1stpkt_timeout", { block: "publish", name: "firstpkt_timeout" }],
  ["publish_normal_timeout", { block: "publish", name: "normal_timeout" }],
  ["refer_play", { block: "refer", name: "play" }],
  ["refer_publish", { block: "refer", name: "publish" }],
]);

function moved(block: string, names: readonly string[]): [string, Home][] {
  return names.map((name) => [name, { block, name }]);
}

/** Blocks whose contents moved into another block, with their old and new names. */
const DISSOLVED: ReadonlyMap<string, { block: string; names: ReadonlyMap<string, string> }> =
  new Map([
    ["mr", { block: "publish", names: new Map([["enabled", "mr"], ["latency", "mr_latency"]]) }],
    ["nack", { block: "rtc", names: new Map([["enabled", "nack"], ["no_copy", "nack_no_copy"]]) }],
    ["twcc", { block: "rtc", names: new Map([["enabled", "twcc"]]) }],
  ]);

/** Directives that became blocks: `forward a b;` is `forward { enabled on; destination a b; }` now. */
const UNFOLDED: ReadonlyMap<string, string> = new Map([["forward", "destination"], [
  "refer",
  "all",
]]);

/** Directives of `vhost.rtc`: the new name, and the old word for `on`. */
const RTC_NAMES: ReadonlyMap<string, { name: string; on: string }> = new Map([
  ["aac", { name: "rtmp_to_rtc", on: "transcode" }],
  ["bframe", { name: "keep_bframe", on: "keep" }],
]);

/** Directives that SRS 7.0.64 moved from the root into `rtmp { }`. */
const IN_RTMP_BLOCK: readonly string[] = ["listen", "chunk_size"];

/** Returns the tree in the spelling of the table. */
export function rewriteOldSpellings(tree: readonly Directive[], report: Report): Directive[] {
  return withoutRtmpBlock(tree, report).map((directive) => {
    const name = ROOT_NAMES.get(directive.name);
    if (name !== undefined) return renamed(directive, name, report);
    if (directive.name !== "vhost" || directive.block === null) return directive;
    return { ...directive, block: new VhostRewriter(report).rewrite(directive.block) };
  });
}

/**
 * Copies the contents of `rtmp { }` to the root, where they are read. As in SRS, the block wins over
 * the root. The block itself stays, for the check of its names.
 */
function withoutRtmpBlock(tree: readonly Directive[], report: Report): readonly Directive[] {
  const block = firstNamed(tree, "rtmp")?.block ?? [];
  const inside = IN_RTMP_BLOCK.flatMap((name) => firstNamed(block, name) ?? []);
  if (inside.length === 0) return tree;
  const outside = tree.filter((directive) => {
    const winner = firstNamed(inside, directive.name);
    if (!winner) return true;
    report.warn(
      directive.place,
      `${directive.name} is ignored: the one in rtmp { } at ${formatPlace(winner.place)} counts, ` +
        "as in SRS, remove one",
    );
    return false;
  });
  return [...inside, ...outside];
}

/** Rewrites the contents of one vhost. */
class VhostRewriter {
  readonly #report: Report;
  readonly #kept: Directive[] = [];
  /** Directives that move, by the block they move into. */
  readonly #moving = new Map<string, Directive[]>();

  constructor(report: Report) {
    this.#report = report;
  }

  rewrite(block: readonly Directive[]): Directive[] {
    for (const directive of block) this.#take(directive);
    for (const [name, directives] of this.#moving) this.#append(name, directives);
    return this.#kept;
  }

  #take(directive: Directive): void {
    const { name, block, args } = directive;
    const home = MOVED.get(name);
    const dissolved = DISSOLVED.get(name);
    const unfolded = UNFOLDED.get(name);
    if (home) {
      this.#move(directive, home);
    } else if (dissolved && block) {
      for (const child of block) {
        const now = dissolved.names.get(child.name) ?? child.name;
        this.#move(child, { block: dissolved.block, name: now }, `${name}.${child.name}`);
      }
    } else if (unfolded !== undefined && !block && args.length > 0) {
      this.#kept.push({ ...directive, args: [], block: [] });
      this.#move(directive, { block: name, name: unfolded });
    } else {
      this.#kept.push(this.#inPlace(directive));
    }
  }

  #move(directive: Directive, { block, name }: Home, old = directive.name): void {
    this.#report.warn(
      directive.place,
      `transform: ${old} is an old spelling, read as vhost.${block}.${name}: write it there`,
    );
    const list = this.#moving.get(block) ?? [];
    // The old forms had no flag: naming a site or a server turned the feature on.
    if (UNFOLDED.has(block) && list.length === 0) list.push(leaf("enabled", "on", directive));
    list.push({ ...directive, name });
    this.#moving.set(block, list);
  }

  /** Appends directives to the block in effect, or to a new one. */
  #append(name: string, directives: readonly Directive[]): void {
    const target = firstNamed(this.#kept, name);
    if (!target) {
      this.#kept.push({ name, place: directives[0].place, args: [], block: directives });
      return;
    }
    const index = this.#kept.indexOf(target);
    this.#kept[index] = { ...target, block: [...target.block ?? [], ...directives] };
  }

  #inPlace(directive: Directive): Directive {
    const { name, block } = directive;
    if (name === "http") return renamed(directive, "http_static", this.#report);
    if (name === "rtc" && block) {
      return {
        ...directive,
        block: block.map((child) => this.#rtc(child)),
      };
    }
    if (name === "http_remux" && block) return { ...directive, block: this.#withoutHstrs(block) };
    return directive;
  }

  #rtc(directive: Directive): Directive {
    const now = RTC_NAMES.get(directive.name);
    if (!now) return directive;
    const word = directive.args.at(0)?.text === now.on ? "on" : "off";
    return {
      ...leaf(now.name, word, directive),
      block: renamed(directive, now.name, this.#report).block,
    };
  }

  #withoutHstrs(block: readonly Directive[]): Directive[] {
    return block.filter((directive) => {
      if (directive.name !== "hstrs") return true;
      this.#report.warn(directive.place, "transform: hstrs means nothing any more: remove it");
      return false;
    });
  }
}

function renamed(directive: Directive, name: string, report: Report): Directive {
  report.warn(
    directive.place,
    `transform: ${directive.name} is an old spelling, read as ${name}: write that`,
  );
  return { ...directive, name };
}

/** Makes a directive with one argument at the place of another one. */
function leaf(name: string, word: string, { place }: Directive): Directive {
  const arg: Word = { text: word, place };
  return { name, place, args: [arg], block: null };
}
