/**
 * One client connection to an nsqd with the least work that Node allows: every socket reads into one fixed buffer, frames are
 * parsed in place, and each message is finished with a FIN in a preallocated block that is sent once per read. Nothing is
 * allocated per message. It replies to heartbeats; an error frame fails the run.
 *
 * The wire format is hard-coded on purpose: the generator must not share code with the product that it measures.
 */
import * as Net from "node:net"
import { type Channel, features, type Upgrade, upgrade } from "./upgrade.ts"

/** Almost a full window of 2500 messages of 234 bytes. */
const readBufferBytesDefault = 512 * 1024
/** Frame header (8), timestamp (8), attempts (2) and id (16): the part of a message that FIN needs. */
const messageHeadBytes = 34
/** `FIN `, 16 bytes of id, newline. */
const finBytes = 21
const finsPerBlock = 4096
/** Limit for the stored part of a response or error that was split over two reads. */
const stashBytes = 256
const okFrameBytes = 10

const frameTypeResponse = 0
const frameTypeMessage = 2

export interface Options {
  readonly port: number
  /** Size of the read buffer. */
  readonly readBufferBytes?: number
  /** Bytes of each body that `onMessage` reads. */
  readonly bodyBytes?: number
  readonly onMessage?: (bytes: Buffer, bodyAt: number) => void
  /** Called once per read with the number of its `OK` frames. */
  readonly onOks?: (count: number) => void
  /** Called once per read that contained messages. */
  readonly onDelivered?: (count: number) => void
  readonly onFailure: (cause: Error) => void
  /** Encrypts or compresses the connection. */
  readonly upgrade?: Upgrade | undefined
}

const newFinBlock = (): Buffer => Buffer.from(`FIN ${" ".repeat(16)}\n`.repeat(finsPerBlock), "latin1")
/** Placeholder for a missing block: it is full, so the first FIN allocates one. */
const noFinBlock = Buffer.alloc(0)

export class Connection {
  readonly #options: Options
  readonly #socket: Net.Socket
  readonly #headBytes: number
  readonly #connected: Promise<void>
  /** Sends commands, through the upgrade if there is one. */
  #channel: Channel
  /** FIN blocks that the kernel has taken and that can be reused. */
  readonly #freeBlocks: Array<Buffer> = []
  #fins: Buffer = noFinBlock
  #finsAt = 0
  /** The start of a frame whose head is not complete. */
  readonly #stash: Buffer = Buffer.alloc(stashBytes)
  #stashed = 0
  /** Remaining bytes of a frame whose head has been handled. */
  #skip = 0
  #oks = 0
  #delivered = 0
  readonly #waiting: Array<(response: string) => void> = []
  #closing = false

  constructor(options: Options) {
    this.#options = options
    this.#headBytes = messageHeadBytes + (options.bodyBytes ?? 0)
    const buffer = Buffer.allocUnsafeSlow(options.readBufferBytes ?? readBufferBytesDefault)
    const onread = {
      buffer,
      callback: (length: number) => {
        this.#read(buffer, length)
        return true
      }
    }
    const address = { host: "127.0.0.1", port: options.port, noDelay: true }
    // An upgrade reads from the socket itself.
    const socket = Net.connect(options.upgrade === undefined ? { ...address, onread } : address)
    this.#socket = socket
    const write = (bytes: Uint8Array, done?: () => void): void => void socket.write(bytes, done)
    this.#channel = { write, prepare: (bytes) => bytes, writePrepared: write }
    this.#connected = new Promise((resolve) => this.#socket.once("connect", () => resolve()))
    this.#socket.on("error", (cause) => this.#fail(cause))
    this.#socket.on("close", () => this.#fail(new Error("the daemon closed the connection")))
  }

  /**
   * Opens the connection like a usual client: magic and IDENTIFY with feature negotiation, with defaults except for the
   * upgrade.
   */
  async open(clientId: string): Promise<void> {
    await this.#connected
    const body = JSON.stringify({
      client_id: clientId,
      hostname: "bench",
      user_agent: "effect-nsq-bench/1",
      feature_negotiation: true,
      ...this.#options.upgrade === undefined ? {} : features[this.#options.upgrade]
    })
    const head = Buffer.from("  V2IDENTIFY\n\0\0\0\0", "latin1")
    head.writeUInt32BE(Buffer.byteLength(body), head.length - 4)
    const identify = Buffer.concat([head, Buffer.from(body)])
    if (this.#options.upgrade === undefined) await this.#request(identify)
    else await this.#openUpgraded(identify, this.#options.upgrade)
  }

  /** The response to IDENTIFY is plain; bytes after it, perhaps of the same read, are upgraded. */
  async #openUpgraded(identify: Uint8Array, how: Upgrade): Promise<void> {
    const socket = this.#socket
    socket.write(identify)
    let identity = Buffer.alloc(0)
    while (identity.length < 4 || identity.length < 4 + identity.readUInt32BE(0)) {
      const chunk = await new Promise<Buffer>((resolve) => socket.once("data", resolve))
      socket.pause()
      identity = Buffer.concat([identity, chunk])
      if (identity.length < 4 || identity.length < 4 + identity.readUInt32BE(0)) socket.resume()
    }
    const end = 4 + identity.readUInt32BE(0)
    if (!identity.toString("latin1", 8, end).includes("{")) throw new Error(`IDENTIFY got the response ${identity}`)
    if (identity.length > end) socket.unshift(identity.subarray(end))
    const confirmed = new Promise<string>((resolve) => this.#waiting.push(resolve))
    const onBytes = (bytes: Buffer): void => this.#read(bytes, bytes.length)
    this.#channel = upgrade[how](socket, onBytes, (cause) => this.#fail(cause))
    if (how !== "tls") socket.resume()
    const response = await confirmed
    if (response !== "OK") throw new Error(`the upgrade got the response ${response}`)
  }

  async subscribe(topic: string, channel: string): Promise<void> {
    const response = await this.#request(Buffer.from(`SUB ${topic} ${channel}\n`))
    if (response !== "OK") throw new Error(`SUB got the response ${response}`)
  }

  ready(count: number): void {
    this.#channel.write(Buffer.from(`RDY ${count}\n`))
  }

  /** Converts bytes to the form that `write` sends, any number of times. */
  prepare(bytes: Buffer): Buffer {
    return this.#channel.prepare(bytes)
  }

  /** Sends prepared bytes. */
  write(bytes: Uint8Array): void {
    this.#channel.writePrepared(bytes)
  }

  close(): void {
    this.#closing = true
    this.#socket.destroy()
  }

  /** Waits for the next response frame. For use before the load starts. */
  #request(bytes: Uint8Array): Promise<string> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve)
      this.#channel.write(bytes)
    })
  }

  #fail(cause: Error): void {
    if (this.#closing) return
    this.close()
    this.#options.onFailure(cause)
  }

  #read(chunk: Buffer, length: number): void {
    this.#walk(chunk, length)
    if (this.#finsAt > 0) this.#sendFins()
    const delivered = this.#delivered
    if (delivered > 0) {
      this.#delivered = 0
      this.#options.onDelivered?.(delivered)
    }
    const oks = this.#oks
    if (oks > 0) {
      this.#oks = 0
      this.#options.onOks?.(oks)
    }
  }

  /** Parses the frames of one read: complete heads in place, split ones through the stash. */
  #walk(chunk: Buffer, length: number): void {
    let at = this.#skip
    const onMessage = this.#options.onMessage
    const headBytes = this.#headBytes
    while (at < length) {
      if (this.#stashed > 0 || length - at < okFrameBytes) {
        at = this.#walkSplit(chunk, at, length)
        continue
      }
      const size = (chunk[at]! << 24) | (chunk[at + 1]! << 16) | (chunk[at + 2]! << 8) | chunk[at + 3]!
      const type = chunk[at + 7]!
      if (type === frameTypeMessage && length - at >= headBytes) {
        this.#finish(chunk, at + 18)
        if (onMessage !== undefined) onMessage(chunk, at + messageHeadBytes)
        at += size + 4
      } else if (type === frameTypeResponse && size === 6 && this.#waiting.length === 0) {
        this.#oks++
        at += okFrameBytes
      } else {
        at = this.#walkSplit(chunk, at, length)
      }
    }
    this.#skip = at - length
  }

  /** Moves bytes into the stash until it has a frame's head, then handles it. Returns where parsing continues. */
  #walkSplit(chunk: Buffer, at: number, length: number): number {
    const stash = this.#stash
    while (this.#stashed < 8 && at < length) stash[this.#stashed++] = chunk[at++]!
    if (this.#stashed < 8) return at
    const total = stash.readUInt32BE(0) + 4
    const type = stash.readUInt32BE(4)
    const needed = Math.min(total, type === frameTypeMessage ? this.#headBytes : stashBytes)
    while (this.#stashed < needed && at < length) stash[this.#stashed++] = chunk[at++]!
    if (this.#stashed < needed) return at
    this.#stashed = 0
    if (type === frameTypeMessage) {
      this.#finish(stash, 18)
      this.#options.onMessage?.(stash, messageHeadBytes)
    } else {
      this.#respond(type, stash.toString("latin1", 8, needed))
    }
    return at + total - needed
  }

  #respond(type: number, data: string): void {
    if (type !== frameTypeResponse) {
      this.#fail(new Error(`the daemon sent ${data}`))
    } else if (data === "_heartbeat_") {
      this.#channel.write(Buffer.from("NOP\n"))
    } else {
      const waiting = this.#waiting.shift()
      if (waiting !== undefined) waiting(data)
      else if (data === "OK") this.#oks++
      else this.#fail(new Error(`unexpected response ${data}`))
    }
  }

  #finish(bytes: Buffer, idAt: number): void {
    if (this.#finsAt === this.#fins.length) this.#nextFinBlock()
    const fins = this.#fins
    const to = this.#finsAt + 4
    for (let i = 0; i < 16; i++) fins[to + i] = bytes[idAt + i]!
    this.#finsAt += finBytes
    this.#delivered++
  }

  #nextFinBlock(): void {
    if (this.#finsAt > 0) this.#sendFins()
    this.#fins = this.#freeBlocks.pop() ?? newFinBlock()
  }

  #sendFins(): void {
    const block = this.#fins
    const bytes = block.subarray(0, this.#finsAt)
    this.#finsAt = 0
    this.#fins = noFinBlock
    this.#channel.write(bytes, () => this.#freeBlocks.push(block))
  }
}
