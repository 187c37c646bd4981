/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
/**
 * How mpegts.js gets its bytes: by `fetch`, handed on as they come, and with somebody who is told when
 * they came. (Its own loader does not tell, and it gathers.)
 * @module
 */

import { FlvScanner } from "./flv_scanner.ts";
import { type Loader, type LoaderError, LoaderStatus, mpegts } from "./mpegts.ts";

/** What is told; times are those of `performance.now()`. */
export interface LoaderObserver {
  /** Bytes have come. */
  received(bytes: number): void;
  /** A tag of sound or pictures has come; headers at the beginning are left out. */
  media(timestampMs: number, nowMs: number, isVideo: boolean): void;
}

/** A loader class for one player. */
export function flvLoader(observer: LoaderObserver): new () => Loader {
  return class extends mpegts.BaseLoader {
    readonly #abort = new AbortController();

    constructor() {
      super("srs-edge-loader");
      this._needStash = false;
    }

    override open({ url }: { readonly url: string }): void {
      this._status = LoaderStatus.CONNECTING;
      this.#load(url).catch((error: unknown) => {
        if (this.#abort.signal.aborted) return;
        const msg = error instanceof Error ? error.message : String(error);
        this.#fail("UnrecoverableEarlyEof", { code: -1, msg });
      });
    }

    override abort(): void {
      this._status = LoaderStatus.COMPLETE;
      this.#abort.abort();
    }

    override destroy(): void {
      this.abort();
      super.destroy();
    }

    async #load(url: string): Promise<void> {
      const answer = await fetch(url, { signal: this.#abort.signal, cache: "no-store" });
      if (!answer.ok || !answer.body) {
        const { status: code, statusText: msg } = answer;
        return this.#fail("HttpStatusCodeInvalid", { code, msg });
      }
      this._status = LoaderStatus.BUFFERING;
      const reader = answer.body.getReader();
      const begun = [false, false];
      const scanner = new FlvScanner((timestamp, isVideo) => {
        // The first tag of a kind is its header: it has the time of the other kind's frames, maybe.
        if (begun[Number(isVideo)]) observer.media(timestamp, performance.now(), isVideo);
        begun[Number(isVideo)] = true;
      });
      let total = 0;
      while (true) {
        const { done, value } = await reader.read();
        if (this.#abort.signal.aborted) return;
        if (done) break;
        observer.received(value.length);
        scanner.push(value);
        const begin = total;
        total += value.length;
        this.onDataArrival(buffer(value), begin, total);
      }
      this._status = LoaderStatus.COMPLETE;
      this.onComplete(0, total - 1);
    }

    #fail(type: LoaderError, info: { readonly code: number; readonly msg: string }): void {
      this._status = LoaderStatus.ERROR;
      this.onError(type, info);
    }
  };
}

/** The bytes as a buffer of their own, which they mostly are already. */
function buffer(bytes: Uint8Array): ArrayBuffer {
  const { buffer, byteLength } = bytes;
  if (buffer instanceof ArrayBuffer && buffer.byteLength === byteLength) return buffer;
  return bytes.slice().buffer;
}
