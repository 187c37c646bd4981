/**
 * The differences between two configurations, by directive.
 * @module
 */
import type { Setting } from "../directives/section.ts";
import type { Reload } from "../directives/spec.ts";

/** One directive with a new value, or a vhost that was added or removed. */
export interface Change {
  /** What a reload does with the change. */
  readonly reload: Reload;
  /**
   * `max_connections 1000 -> 2000 connections`, `vhost a.com: play.gop_cache on -> off`. No secrets.
   */
  readonly text: string;
}

/** The settings of one directive, global or of one vhost. A directive that repeats has several. */
type Given = readonly [Setting, ...Setting[]];

function byDirective(settings: readonly Setting[]): Map<string, Given> {
  const found = new Map<string, Given>();
  for (const setting of settings) {
    const key = `${setting.vhost ?? ""}\n${setting.path}`;
    const [first, ...more] = found.get(key) ?? [];
    found.set(key, first ? [first, ...more, setting] : [setting]);
  }
  return found;
}

function vhostsOf(settings: readonly Setting[]): Set<string> {
  return new Set(settings.flatMap(({ vhost }) => vhost ?? []));
}

/** The changes, in the order of the new settings. */
export function changesBetween(old: readonly Setting[], next: readonly Setting[]): Change[] {
  const before = byDirective(old);
  const changes: Change[] = [];
  for (const [key, given] of byDirective(next)) {
    const was = before.get(key);
    if (!was || sameValues(was, given)) continue;
    changes.push({ reload: given[0].reload, text: changeText(was, given) });
  }
  const [had, has] = [vhostsOf(old), vhostsOf(next)];
  for (const name of has) {
    if (!had.has(name)) changes.push({ reload: "live", text: `vhost ${name} added` });
  }
  for (const name of had) {
    if (!has.has(name)) {
      changes.push({ reload: "live", text: `vhost ${name} removed, its clients may stay` });
    }
  }
  return changes;
}

/** The settings in effect after a reload. Directives that need a restart keep their old values. */
export function inEffect(old: readonly Setting[], next: readonly Setting[]): Setting[] {
  const before = byDirective(old);
  return [...byDirective(next)].flatMap(([key, given]) => {
    return given[0].reload === "restart" ? before.get(key) ?? given : given;
  });
}

function sameValues(a: Given, b: Given): boolean {
  return a.length === b.length && a.every(({ raw }, i) => raw === b[i].raw);
}

function changeText(was: Given, given: Given): string {
  const { vhost, path } = given[0];
  const name = vhost === null ? path : `vhost ${vhost}: ${path.replace(/^vhost\./, "")}`;
  const now = given.map(({ text }) => text).join(", ");
  // The unit is shown once.
  const before = was.map(({ text, raw }) => text.startsWith(`${raw} `) ? raw : text).join(", ");
  return `${name} ${before} -> ${now}`;
}
