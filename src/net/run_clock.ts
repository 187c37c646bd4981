/**
 * Time in which this process ran. A box that sleeps, a container that is paused, a machine that is moved
 * and a process that is stopped by a signal all come back late, with bytes of their peers waiting in the
 * sockets: no deadline may pass because of time in which the server could not read them (F5).
 * @module
 */

import { BEAT_MS, EARLY_MS, LATE_MS } from "./limits.ts";

/** Runs `task` after `ms`; calling the result before that cancels it. */
export type Timers = (ms: number, task: () => void) => () => void;

const runtimeTimer: Timers = (ms, task) => {
  const timer = setTimeout(task, ms);
  return () => clearTimeout(timer);
};

/**
 * A clock that stands still while the process does: the live core's `Clock`. While `beat` is not
 * called, it is the system's.
 */
export class RunClock {
  readonly #real: () => number;
  #beaters = 0;
  /** Real ms of the last beat. */
  #beatAt = 0;
  /** ms of all pauses. */
  #skipped = 0;
  /** What `now` last said: it continues from there after a pause. */
  #last = 0;
  #paused = false;
  #timers: Timers = runtimeTimer;

  /** @param real the system's monotonic clock, ms */
  constructor(real: () => number = () => performance.now()) {
    this.#real = real;
  }

  /** ms in which the process ran, from some fixed moment on. Never less than before. */
  now(): number {
    const real = this.#real();
    if (this.#beaters > 0 && real - this.#beatAt > BEAT_MS + LATE_MS) this.#skip(real);
    return this.#last = real - this.#skipped;
  }

  /** One more server beats. */
  begin(): void {
    this.now();
    this.#beatAt = this.#real();
    this.#beaters++;
  }

  /** One server fewer beats. */
  end(): void {
    this.now();
    this.#beaters--;
  }

  /**
   * To be called every `BEAT_MS`. False: the process has been paused since the last beat. What has come in
   * the meantime is still in the sockets, and deadlines are to be looked at a beat later.
   */
  beat(): boolean {
    this.now();
    this.#beatAt = this.#real();
    const ran = !this.#paused;
    this.#paused = false;
    return ran;
  }

  /**
   * Runs `task` once after `ms` in which the process ran; calling the result before that cancels it. A
   * timer that falls due because of a pause runs on for what was left.
   */
  after(ms: number, task: () => void): () => void {
    const due = this.now() + ms;
    let cancelled = false;
    const fire = () => {
      // Deno 2.6 still fires a timer that was due when it was cleared.
      if (cancelled) return;
      const left = due - this.now();
      if (left <= EARLY_MS) task();
      else cancel = this.#timers(left, fire);
    };
    let cancel = this.#timers(ms, fire);
    return () => {
      cancelled = true;
      cancel();
    };
  }

  /** Timers that are set from now on are kept there. */
  useTimers(timers: Timers): void {
    this.#timers = timers;
  }

  #skip(real: number): void {
    this.#skipped = real - this.#last;
    this.#beatAt = real;
    this.#paused = true;
  }
}

/** The clock of this thread. */
export const runClock = new RunClock();

/** Waits for `promise`, but no longer than `ms` in which the process runs. */
export async function within(ms: number, promise: Promise<unknown>): Promise<void> {
  let cancel = () => {};
  const late = new Promise<void>((resolve) => cancel = runClock.after(ms, resolve));
  await Promise.race([promise, late]);
  cancel();
}
