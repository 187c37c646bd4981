/**
 * One HTTP-FLV or WS-FLV player of the load client: a GET, and an answer that goes on and on.
 * @module
 */
import { APP, Connection, type Media } from "./connection.ts";
import { AnswerError, type FlvHandler, HttpFlvParser } from "./http_flv_parser.ts";

/** What a WebSocket's request says more; any 16 bytes are a key (RFC 6455 §4.1). */
const UPGRADE = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" +
  "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n";

/** An HTTP-FLV player, or a WS-FLV player. */
export class FlvConnection extends Connection implements FlvHandler {
  readonly #parser = new HttpFlvParser(this, this.goal.ws ? "frames" : "chunks");

  protected open(): void {
    const { port, stream, ws } = this.goal;
    const request = `GET /${APP}/${stream}.flv HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n` +
      `${ws ? UPGRADE : ""}\r\n`;
    this.send(Uint8Array.from(request, (letter) => letter.charCodeAt(0)));
  }

  onBytes(buffer: Uint8Array<ArrayBuffer>, start: number, end: number): void {
    try {
      this.#parser.push(buffer, start, end);
    } catch (error) {
      if (!(error instanceof AnswerError)) throw error;
      this.owner.onRefused(this, error.message);
    }
  }

  /** `FlvHandler` */
  onAnswer(): void {
    this.accept();
  }

  /** `FlvHandler` */
  onHead(media: Media): void {
    this.owner.onMediaHead(this, media);
  }

  /** `FlvHandler` */
  onTag(media: Media): void {
    this.owner.onMedia(this, media);
  }
}
