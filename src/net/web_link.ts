/**
 * The way of a stream's bytes to a web client: the body of an HTTP answer, or a WebSocket.
 * @module
 */

/** Where bytes go. */
export interface WebLink {
  /**
   * Sends bytes, which must never change after that. False: enough is on its way, and `onWritable` will
   * say when there is room again.
   */
  send(bytes: Uint8Array): boolean;
  /** Ends the stream, after what is on its way. */
  end(): void;
  /** Ends it at once as far as the runtime can. */
  abort(): void;
}

/** What a link tells its owner. */
export interface WebLinkHandler {
  /** The first call, unless it comes to nothing. */
  onOpen(link: WebLink): void;
  /** There is room again. */
  onWritable(): void;
  /** The last call; it comes after `end` and `abort` too, when the client has gone or has everything. */
  onClose(): void;
}
