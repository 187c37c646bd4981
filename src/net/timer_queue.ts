/**
 * Timers of the event loop, in the order in which they are due.
 * @module
 */

import { guarded } from "../runtime/faults.ts";

interface Timer {
  readonly dueMs: number;
  /** Those that are due together run in the order in which they were set. */
  readonly number: number;
  readonly task: () => void;
  /** Place in the heap. */
  at: number;
}

/** The place of a timer that is not in the heap any more. */
const GONE = -1;

/** A binary heap. */
export class TimerQueue {
  readonly #heap: Timer[] = [];
  #set = 0;

  /** When the next one is due, ms; Infinity: there is none. */
  get nextMs(): number {
    return this.#heap.length > 0 ? this.#heap[0].dueMs : Infinity;
  }

  /** How many there are. */
  get size(): number {
    return this.#heap.length;
  }

  /** Runs `task` at `dueMs`; calling the result before that cancels it. */
  add(dueMs: number, task: () => void): () => void {
    const timer: Timer = { dueMs, number: this.#set++, task, at: this.#heap.length };
    this.#heap.push(timer);
    this.#rise(timer);
    return () => this.#remove(timer);
  }

  /** Runs what is due at `nowMs`, but not what is set meanwhile. A fault is reported and ends nothing else. */
  run(nowMs: number): void {
    const end = this.#set;
    while (this.#heap.length > 0) {
      const first = this.#heap[0];
      if (first.dueMs > nowMs || first.number >= end) return;
      this.#remove(first);
      guarded("a timer", first.task);
    }
  }

  #remove(timer: Timer): void {
    if (timer.at === GONE) return;
    const last = this.#heap.pop();
    if (last && last !== timer) {
      this.#put(last, timer.at);
      this.#rise(last);
      this.#sink(last);
    }
    timer.at = GONE;
  }

  #rise(timer: Timer): void {
    while (timer.at > 0) {
      const above = this.#heap[(timer.at - 1) >> 1];
      if (isBefore(above, timer)) return;
      this.#swap(above, timer);
    }
  }

  #sink(timer: Timer): void {
    while (true) {
      const left = 2 * timer.at + 1;
      if (left >= this.#heap.length) return;
      const right = left + 1;
      const isRight = right < this.#heap.length && isBefore(this.#heap[right], this.#heap[left]);
      const below = this.#heap[isRight ? right : left];
      if (isBefore(timer, below)) return;
      this.#swap(timer, below);
    }
  }

  #swap(a: Timer, b: Timer): void {
    const { at } = a;
    this.#put(a, b.at);
    this.#put(b, at);
  }

  #put(timer: Timer, at: number): void {
    this.#heap[at] = timer;
    timer.at = at;
  }
}

function isBefore(a: Timer, b: Timer): boolean {
  return a.dueMs < b.dueMs || (a.dueMs === b.dueMs && a.number < b.number);
}
