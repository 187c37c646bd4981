/**
 * Threads: the one file that knows how they are made. `node:worker_threads` says on both runtimes when a
 * thread has ended and why; the web's Worker does not.
 * @module
 */

import {
  isMainThread,
  MessageChannel,
  MessagePort,
  parentPort,
  Worker,
  workerData,
} from "node:worker_threads";
import { DescriptorSet } from "../runtime/descriptors.ts";
import { guarded } from "../runtime/faults.ts";
import { noteDescriptors, openLibc } from "../runtime/libc.ts";

/** One end of a way between two threads that does not go through their parent. */
export { MessagePort };

/** What becomes of a thread. */
export interface ThreadEvents {
  message(message: unknown): void;
  /** An uncaught exception; `ended` follows. */
  failed(error: Error): void;
  /** The thread is over, and so are its sockets. */
  ended(): void;
}

/** What a thread is started with. */
interface Start {
  readonly data: unknown;
  readonly descriptors: SharedArrayBuffer;
}

const start = isMainThread ? null : workerData as Start;
if (start) noteDescriptors(new DescriptorSet(start.descriptors));

/** A thread, as its parent sees it. */
export class Thread {
  readonly #worker: Worker;
  #terminated = false;

  /** Starts the module at `url`, which finds `data` with `threadData`. */
  constructor(url: URL, data: unknown, events: ThreadEvents) {
    const left = new DescriptorSet();
    const start: Start = { data, descriptors: left.memory };
    this.#worker = new Worker(url, { workerData: start });
    // A fault of the receiver would end the delivery of messages on Deno.
    this.#worker.on("message", (message) => {
      guarded("a message of a thread", () => events.message(message));
    });
    this.#worker.on("error", (error: unknown) => {
      events.failed(error instanceof Error ? error : new Error(String(error)));
    });
    this.#worker.on("exit", () => {
      // On Deno a terminated thread continues to the end of what it does.
      void openLibc().then((libc) => this.#terminated ? libc?.endAll(left) : libc?.closeAll(left));
      events.ended();
    });
  }

  /** Sends a message; ports in it are to be listed too, and are the thread's then. */
  post(message: unknown, ports: readonly MessagePort[] = []): void {
    this.#worker.postMessage(message, [...ports]);
  }

  /** Ends it, whatever it does. */
  async terminate(): Promise<void> {
    this.#terminated = true;
    await this.#worker.terminate();
  }
}

/** Whether this thread has a parent. */
export function isThread(): boolean {
  return !isMainThread && parentPort !== null;
}

/** What the parent gave this thread to start with. */
export function threadData(): unknown {
  return start?.data;
}

/** Messages of the parent go to `receive` from now on. */
export function onParentMessage(receive: (message: unknown) => void): void {
  parentPort?.on("message", (message) => {
    guarded("a message of the parent", () => receive(message));
  });
}

/** Messages of another thread go to `receive` from now on. */
export function onPortMessage(port: MessagePort, receive: (message: unknown) => void): void {
  port.on("message", (message) => {
    guarded("a message of another thread", () => receive(message));
  });
}

/** Sends a message to the parent. */
export function postToParent(message: unknown): void {
  parentPort?.postMessage(message);
}

/** The two ends of a new way. */
export function newWay(): readonly [MessagePort, MessagePort] {
  const { port1, port2 } = new MessageChannel();
  return [port1, port2];
}
