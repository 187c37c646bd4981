/**
 * The event loop of this thread's live connections. To wake up through the runtime's loop costs 150 to
 * 300 µs, and what a message needs is a few: while somebody publishes, this loop has the thread, and waits
 * in one `epoll_wait` for its connections, its timers and the runtime. The runtime has a turn when it has
 * something to do, when a callback wants one, and every `TURN_MS` in any case.
 *
 *     resting --somebody publishes--> driving --nobody publishes--> resting
 *
 * While resting, the runtime has the thread. On Deno another thread waits for the connections' next event
 * and wakes it; on Bun a timer looks for one.
 * @module
 */

import {
  BLIND_WAIT_MS,
  DEAF_LOOK_MS,
  MAX_TURN_MS,
  MAX_URGENT_LOOK_MS,
  REST_MS,
  TURN_MS,
  URGENT_LOOK_MS,
  YIELD_MS,
} from "./limits.ts";
import { guarded } from "../runtime/faults.ts";
import { MAX_EVENTS } from "../runtime/limits.ts";
import { Epoll, type EpollSet } from "../runtime/epoll.ts";
import type { Libc } from "../runtime/libc.ts";
import { TimerQueue } from "./timer_queue.ts";

/** Who is told what happens to a descriptor. */
export interface Watcher {
  /** `Epoll` bits. */
  onEvents(events: number): void;
  /** `onEvents` has thrown, which is reported already. */
  onFault(error: unknown): void;
}

/** See above. */
export class EventLoop {
  readonly #libc: Libc;
  readonly #epoll: EpollSet;
  /** The runtime's own epoll instances of this thread: readable while it has something to do. */
  readonly #runtime: readonly number[];
  /** Ends another thread's wait. Null until it is needed. */
  #bell: number | null = null;
  /** By descriptor. */
  readonly #watchers: (Watcher | undefined)[] = [];
  readonly #timers = new TimerQueue();
  /** To be closed after what is being told: until then no other connection may get their numbers. */
  readonly #left: number[] = [];
  #watched = 0;
  #publishing = 0;
  /** Those that wait for room to send, where nothing but a timer looks for it. */
  #urgent = 0;
  #driving = false;
  #watchesRuntime = false;
  /** Events are being told. */
  #telling = false;
  /** The next drive, or another thread's wait, is on its way. */
  #scheduled = false;
  #resting = false;
  /** The runtime is to have a turn soon. */
  #wantsTurn = false;
  #look: ReturnType<typeof setTimeout> | undefined;
  #lookAt = 0;
  #urgentMs = URGENT_LOOK_MS;
  /** There was more to see than one look shows. */
  #more = false;
  readonly #drive = () => this.#driveOn();

  /** `runtime`: descriptors of the epoll instances in which the runtime of this thread waits. */
  constructor(libc: Libc, runtime: readonly number[]) {
    this.#libc = libc;
    this.#epoll = libc.poller();
    this.#runtime = runtime;
  }

  /** Watches a descriptor; false: it cannot be watched. */
  watch(fd: number, events: number, watcher: Watcher): boolean {
    if (!this.#epoll.add(fd, events)) return false;
    this.#watchers[fd] = watcher;
    this.#watched++;
    this.#schedule();
    return true;
  }

  /** Watches a descriptor for other events. */
  change(fd: number, events: number): void {
    this.#epoll.change(fd, events);
  }

  /** Watches a descriptor no more, which stays open. */
  forget(fd: number): void {
    this.#watchers[fd] = undefined;
    this.#watched--;
    this.#epoll.remove(fd);
  }

  /** Watches a descriptor no more, and closes it once nothing can be told of it. */
  close(fd: number): void {
    this.forget(fd);
    if (this.#telling) this.#left.push(fd);
    else this.#libc.close(fd);
    if (this.#watched === 0 && this.#bell !== null) this.#libc.ring(this.#bell);
    this.#schedule();
  }

  /** One more, or one fewer, connection brings a stream. */
  publish(change: 1 | -1): void {
    this.#publishing += change;
    this.#schedule();
  }

  /** One more, or one fewer, connection waits for room to send. */
  wait(change: 1 | -1): void {
    this.#urgent += change;
    this.#urgentMs = URGENT_LOOK_MS;
    this.#schedule();
  }

  /**
   * The runtime is to have its turn as soon as what is being told is told: promises continue then and not
   * before.
   */
  turn(): void {
    this.#wantsTurn = true;
  }

  /** Runs `task` after `ms`; calling the result before that cancels it. */
  after(ms: number, task: () => void): () => void {
    const cancel = this.#timers.add(performance.now() + ms, task);
    this.#schedule();
    return cancel;
  }

  /** Whether this loop has the thread, but for the runtime's turns. */
  get driving(): boolean {
    return this.#driving;
  }

  /** Has what comes next come. */
  #schedule(): void {
    if (this.#telling) return;
    if (this.#publishing > 0 !== this.#driving) this.#switch();
    if (!this.#driving) return this.#rest();
    if (this.#scheduled) return;
    this.#scheduled = true;
    if (this.#wantsTurn && this.#epoll.canWait) void this.#yield();
    else setImmediate(this.#drive);
  }

  #switch(): void {
    this.#driving = !this.#driving;
    clearTimeout(this.#look);
    this.#look = undefined;
    this.#watchRuntime(this.#driving);
  }

  #watchRuntime(on: boolean): void {
    if (on === this.#watchesRuntime) return;
    this.#watchesRuntime = on;
    // Bun leaves some things for later: told once for each change, they do not end every wait.
    const events = this.#epoll.canWait ? Epoll.IN : Epoll.IN | Epoll.EDGE;
    for (const fd of this.#runtime) {
      if (on) this.#epoll.add(fd, events);
      else this.#epoll.remove(fd);
    }
  }

  // ---- driving

  #driveOn(): void {
    this.#scheduled = false;
    try {
      if (this.#driving) this.#driveUntilTurn();
    } finally {
      this.#schedule();
    }
  }

  #driveUntilTurn(): void {
    const longest = this.#runtime.length > 0 ? MAX_TURN_MS : BLIND_WAIT_MS;
    const began = performance.now();
    let now = began;
    this.#wantsTurn = false;
    while (!this.#wantsTurn && this.#publishing > 0) {
      const wait = Math.min(began + longest, this.#timers.nextMs) - now;
      const events = this.#epoll.take(wait > 0 ? Math.ceil(wait) : 0);
      this.#tell(events);
      now = performance.now();
      this.#runTimers(now);
      // Where there is work anyway, a turn costs no wake-up of its own.
      if (now - began >= (events > 0 ? Math.min(TURN_MS, longest) : longest)) return;
    }
  }

  /**
   * Leaves the thread to the runtime for some ms; another thread waits for the connections meanwhile. On
   * Deno `setImmediate` alone would not do: the runtime looks at its own descriptors when it has nothing
   * else to do, or after some 30 turns.
   */
  async #yield(): Promise<void> {
    this.#watchRuntime(false);
    let now = performance.now();
    const end = now + YIELD_MS;
    try {
      while (now < end && this.#publishing > 0) {
        const wait = Math.min(end, this.#timers.nextMs) - now;
        await this.#epoll.wait(wait > 0 ? Math.ceil(wait) : 0);
        this.#tell(this.#epoll.take());
        now = performance.now();
        this.#runTimers(now);
      }
    } finally {
      this.#wantsTurn = false;
      if (this.#driving) this.#watchRuntime(true);
      this.#scheduled = false;
      this.#schedule();
    }
  }

  /** Tells what was taken. */
  #tell(events: number): void {
    this.#telling = true;
    try {
      for (let i = 0; i < events; i++) this.#tellOne(this.#epoll.fdAt(i), this.#epoll.eventsAt(i));
    } finally {
      this.#told();
    }
  }

  #tellOne(fd: number, events: number): void {
    const watcher = this.#watchers[fd];
    if (watcher === undefined) {
      // The runtime's, the bell, or one that has been closed since.
      this.#wantsTurn = true;
      if (fd === this.#bell) this.#libc.silence(fd);
      return;
    }
    try {
      watcher.onEvents(events);
    } catch (error) {
      watcher.onFault(error);
      guarded("a connection", () => {
        throw error;
      });
    }
  }

  #runTimers(now: number): void {
    if (this.#timers.nextMs > now) return;
    this.#telling = true;
    try {
      this.#timers.run(now);
    } finally {
      this.#told();
    }
  }

  #told(): void {
    this.#telling = false;
    for (let fd = this.#left.pop(); fd !== undefined; fd = this.#left.pop()) this.#libc.close(fd);
  }

  // ---- resting

  #rest(): void {
    const isAside = this.#epoll.canWait;
    if (isAside && this.#watched > 0 && !this.#resting) void this.#waitAside();
    let due = this.#timers.nextMs;
    const now = performance.now();
    if (!isAside && this.#watched > 0) {
      const isUrgent = this.#urgent > 0 || this.#more;
      due = Math.min(due, now + (isUrgent ? this.#urgentMs : DEAF_LOOK_MS));
    }
    if (this.#look !== undefined && this.#lookAt <= due) return;
    clearTimeout(this.#look);
    this.#look = undefined;
    if (due === Infinity) return;
    this.#lookAt = due;
    this.#look = setTimeout(() => {
      this.#look = undefined;
      this.#lookNow();
    }, Math.max(0, due - now));
  }

  async #waitAside(): Promise<void> {
    this.#resting = true;
    if (this.#bell === null) {
      const bell = this.#libc.bell();
      if (bell >= 0 && this.#epoll.add(bell, Epoll.IN)) this.#bell = bell;
    }
    await this.#epoll.wait(REST_MS);
    if (this.#bell !== null) this.#libc.silence(this.#bell);
    this.#resting = false;
    if (!this.#driving) this.#lookNow();
  }

  #lookNow(): void {
    const events = this.#epoll.take();
    this.#urgentMs = events > 0 ? URGENT_LOOK_MS : Math.min(2 * this.#urgentMs, MAX_URGENT_LOOK_MS);
    this.#more = events === MAX_EVENTS;
    try {
      this.#tell(events);
      this.#runTimers(performance.now());
    } finally {
      this.#schedule();
    }
  }
}
