/**
 * Counts work instead of seconds: every bulk operation on bytes, text and maps while a task runs.
 * @module
 */

/** What an operation costs, by its arguments and its result. */
type Cost = (self: unknown, args: readonly unknown[], result: unknown) => number;

const lengthOf = (value: unknown): number =>
  typeof value === "object" && value !== null && "length" in value ? Number(value.length) : 0;

/** Operations and their costs: one for the call, and one for every byte that is copied. */
const OPERATIONS: readonly (readonly [object, string, Cost])[] = [
  [Object.getPrototypeOf(Uint8Array.prototype), "set", (_, [source]) => 1 + lengthOf(source)],
  [Object.getPrototypeOf(Uint8Array.prototype), "subarray", () => 1],
  [Object.getPrototypeOf(Uint8Array.prototype), "slice", (_, __, result) => 1 + lengthOf(result)],
  [Object.getPrototypeOf(Uint8Array.prototype), "fill", (self) => 1 + lengthOf(self)],
  [TextDecoder.prototype, "decode", (_, [bytes]) => 1 + lengthOf(bytes)],
  [Map.prototype, "set", () => 1],
  [Map.prototype, "get", () => 1],
  [Map.prototype, "delete", () => 1],
  [Array.prototype, "push", (_, args) => args.length],
  [Array.prototype, "splice", (self) => 1 + lengthOf(self)],
  [String.prototype, "slice", (_, __, result) => 1 + String(result).length],
  [String.prototype, "replace", (self) => 1 + String(self).length],
];

/** Runs `task` and returns the steps that it took. */
export function steps(task: () => void): number {
  let count = 0;
  const restore: (() => void)[] = [];
  for (const [owner, name, cost] of OPERATIONS) {
    const descriptor = Object.getOwnPropertyDescriptor(owner, name);
    const original: unknown = descriptor?.value;
    if (descriptor === undefined || typeof original !== "function") continue;
    Object.defineProperty(owner, name, {
      ...descriptor,
      value(this: unknown, ...args: unknown[]) {
        const result: unknown = Reflect.apply(original, this, args);
        count += cost(this, args, result);
        return result;
      },
    });
    restore.unshift(() => Object.defineProperty(owner, name, descriptor));
  }
  try {
    task();
  } finally {
    for (const undo of restore) undo();
  }
  return count;
}
