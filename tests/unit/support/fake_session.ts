/**
 * A connection as the registry and the server see it: figures that a test sets, and what was done to it.
 * @module
 */

import type { LiveStream } from "../../../src/live/stream/live_stream.ts";
import type { Session } from "../../../src/stats/session.ts";
import type { ClientRole } from "../../../src/stats/session.ts";
import { MemoryLog } from "./memory_log.ts";

/** A connection of whatever protocol. */
export class FakeSession implements Session {
  readonly log: MemoryLog;
  readonly socket = {
    remote: "127.0.0.1:50123",
    remoteAddress: "127.0.0.1",
    setNoDelay: (on: boolean) => void this.noDelays.push(on),
  };
  readonly info = { tcUrl: "rtmp://a/live", pageUrl: "http://a/page", swfUrl: "http://a/swf" };
  summarisedAt: number;
  recvBytes = 0;
  sentBytes = 0;
  failed = false;
  /** Its part of the line of figures; empty: it has none. */
  text = "figures";
  /** Whether it connects anew by itself when it is asked to. */
  comesBack = false;
  /** Hears of each call, at once. */
  onCall: (what: "reconnect" | "shutdown" | "abort") => void = () => {};
  // What was done to it.
  kicks = 0;
  aborts = 0;
  readonly ticks: number[] = [];
  readonly noDelays: boolean[] = [];
  readonly shutdowns: (string | undefined)[] = [];
  readonly reconnects: (string | null)[] = [];

  constructor(readonly id: string, readonly acceptedAt: number) {
    this.log = new MemoryLog(id);
    this.summarisedAt = acceptedAt;
  }

  tick(nowMs: number): void {
    this.ticks.push(nowMs);
  }
  summary(nowMs: number): string {
    this.summarisedAt = nowMs;
    return this.text;
  }
  shutdown(reason?: string): void {
    this.shutdowns.push(reason);
    this.onCall("shutdown");
  }
  requestReconnect(_description: string, tcUrl: string | null): boolean {
    this.reconnects.push(tcUrl);
    this.onCall("reconnect");
    return this.comesBack;
  }
  abort(): void {
    this.aborts++;
    this.onCall("abort");
  }
  kick(): void {
    this.kicks++;
  }
}

/** What a client does with a stream. */
export function roleOf(stream: LiveStream, publish: boolean): ClientRole {
  return { type: publish ? "fmle-publish" : "rtmp-play", publish, stream, name: stream.name };
}
