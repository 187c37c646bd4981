/**
 * What server and client do alike once the handshake is over: messages out of chunks and into chunks,
 * aggregates taken apart, acknowledgements, answers to pings.
 * @module
 */

import { AckCounter } from "./ack_counter.ts";
import { ChunkReader } from "./chunk_reader.ts";
import { MessageWriter } from "./chunk_writer.ts";
import { type Command, parseCommand } from "./command.ts";
import {
  ChunkStream,
  controlValue,
  type Message,
  MessageType,
  parseUserControl,
  splitAggregate,
  u32Body,
  UserControl,
  userControlBody,
  type UserControlMessage,
} from "./message.ts";

/** Whose connection it is: a session of the server, or a client. */
export interface ConnectionOwner {
  /** Bytes that the peer has not taken yet. */
  readonly pendingBytes: number;
  /** An audio, video or data message; of an aggregate, each of its messages. */
  media(message: Message): void;
  command(command: Command): void;
  /** A user control message that is no ping. */
  userControl(control: UserControlMessage): void;
  /** A command or user control message has come. False: it is one too many, and is not looked at. */
  countRequest(): boolean;
}

/** The messages of one connection, in both directions. */
export class RtmpConnection {
  readonly reader = new ChunkReader();
  readonly writer = new MessageWriter();
  readonly acks = new AckCounter();
  readonly #owner: ConnectionOwner;
  readonly #maxPendingBytes: number;

  /**
   * `maxPendingBytes`: a peer that has not taken so much is sent neither acknowledgements nor answers to
   * pings: it asks, and does not read.
   */
  constructor(owner: ConnectionOwner, maxPendingBytes: number) {
    this.#owner = owner;
    this.#maxPendingBytes = maxPendingBytes;
  }

  /**
   * Hands the message that `reader` has read to the owner, or deals with it here.
   * @throws {RtmpError} for a broken command or aggregate.
   */
  dispatch(): void {
    const { message } = this.reader;
    switch (message.type) {
      case MessageType.AUDIO:
      case MessageType.VIDEO:
      case MessageType.DATA_AMF0:
      case MessageType.DATA_AMF3:
        return this.#owner.media(message);
      case MessageType.COMMAND_AMF0:
      case MessageType.COMMAND_AMF3:
        return this.#command(message);
      case MessageType.USER_CONTROL:
        return this.#userControl(message);
      case MessageType.WINDOW_ACK_SIZE:
        this.acks.window = controlValue(message);
        return;
      case MessageType.AGGREGATE:
        return splitAggregate(message, (part) => this.#owner.media(part));
    }
  }

  /** Writes a message with time 0; `writer.take` has the chunks. */
  write(chunkStream: number, type: number, payload: Uint8Array, streamId = 0): void {
    this.writer.write(chunkStream, type, 0, streamId, payload);
  }

  /** Writes a protocol control or user control message. */
  control(type: number, body: Uint8Array): void {
    this.write(ChunkStream.CONTROL, type, body);
  }

  /** Announces a chunk size, bytes, and uses it from then on. */
  setChunkSize(size: number): void {
    this.control(MessageType.SET_CHUNK_SIZE, u32Body(size));
    this.writer.chunkSize = size;
  }

  /** Tells the peer how much has come, twice per window. */
  acknowledge(): void {
    if (!this.acks.due || this.#owner.pendingBytes > this.#maxPendingBytes) return;
    this.control(MessageType.ACKNOWLEDGEMENT, u32Body(this.acks.take()));
  }

  #command(message: Message): void {
    if (!this.#owner.countRequest()) return;
    const command = parseCommand(message.type, message.payload);
    if (command) this.#owner.command(command);
  }

  #userControl(message: Message): void {
    const control = parseUserControl(message.payload);
    if (!control) return;
    if (control.event !== UserControl.PING_REQUEST) return this.#owner.userControl(control);
    if (!this.#owner.countRequest() || this.#owner.pendingBytes > this.#maxPendingBytes) return;
    const body = userControlBody(UserControl.PING_RESPONSE, control.value);
    this.control(MessageType.USER_CONTROL, body);
  }
}
