/**
 * A consumer over HTTP: keeps delivered messages until the response can take them, and `/stats` shows it like a TCP client. The
 * fiber of the response (`SubStream`) takes the messages; the requests of `/sub/...` act on its subscription.
 *
 * Hot path: `deliver` keeps views and copies nothing.
 */
import { Wakeup } from "../../core/Wakeup.ts"
import type { TlsDetails } from "../../net/TlsHandshake.ts"
import type { Grant } from "../auth/Grant.ts"
import { type Client, type ClientSettings, ClientState, type ClientStats } from "../broker/Clients.ts"
import type * as Locality from "../broker/Locality.ts"
import type { Consumer, Subscription } from "../broker/Subscription.ts"

/** Bytes of messages that may wait for the response; the channel delivers no more until they are sent. */
const maxWaitingBytes = 64 * 1024

/** What is known about a client when it subscribes. */
export interface HttpClient {
  readonly clientId: string
  readonly hostname: string
  readonly userAgent: string
  /** The peer's `host:port`. */
  readonly remoteAddress: string
  /** In Unix seconds. */
  readonly connectTime: number
  /** Interval of comments without messages, in ms. */
  readonly heartbeat: number
  readonly tls: TlsDetails | undefined
  /** The grant of the authorizer; `undefined` without one. */
  readonly grant: Grant | undefined
  readonly locality: Locality.Locality
}

const published: ReadonlyMap<string, number> = new Map()

/** A consumer over HTTP. */
export class HttpConsumer implements Consumer, Client {
  private readonly client: HttpClient
  private readonly wakeup = new Wakeup()
  private subscribed: Subscription | undefined
  private waiting: Array<Buffer> = []
  /** Bytes delivered and not sent yet. */
  private unsent = 0
  /** The channel has seen a full consumer and has not been woken since. */
  private refused = false
  private closed = false

  constructor(client: HttpClient) {
    this.client = client
  }

  /** Sets the subscription, after which messages may arrive. */
  subscribe(subscription: Subscription): void {
    this.subscribed = subscription
  }

  /** Whether the channel is closed or deleted. */
  get isClosed(): boolean {
    return this.closed
  }

  /** Completes when messages wait or the channel is closed. Only one fiber may wait at a time. */
  get work() {
    return this.wakeup.wait
  }

  /** Returns the waiting messages, each as its frame, and keeps none. */
  take(): ReadonlyArray<Buffer> {
    const taken = this.waiting
    this.waiting = []
    return taken
  }

  /** The client can take more: all messages that were taken are sent. */
  sent(): void {
    this.unsent = 0
    for (const message of this.waiting) this.unsent += message.length
    if (!this.refused || !this.isWritable()) return
    this.refused = false
    this.subscribed?.wake()
  }

  // ---- the consumer

  readonly readsHeaders = true

  deliver(frames: Buffer, start: number, end: number): void {
    for (let at = start; at < end;) {
      const next = at + frames.readInt32BE(at) + 4
      this.waiting.push(frames.subarray(at, next))
      at = next
    }
    this.unsent += end - start
  }

  flush(): void {
    if (this.waiting.length > 0) this.wakeup.call()
  }

  isWritable(): boolean {
    const isWritable = this.unsent < maxWaitingBytes && !this.closed
    if (!isWritable) this.refused = true
    return isWritable
  }

  /** Acknowledgements are executed when they arrive. */
  inputMark(): number {
    return 0
  }

  close(): void {
    this.closed = true
    this.wakeup.call()
  }

  name(): string {
    return `${this.client.clientId} ${this.client.remoteAddress}`
  }

  // ---- statistics

  settings(): ClientSettings {
    return {
      heartbeatInterval: this.client.heartbeat,
      msgTimeout: this.subscribed?.options.msgTimeout ?? 0,
      outputBufferSize: 0,
      outputBufferTimeout: 0,
      deflateLevel: 0
    }
  }

  stats(): ClientStats {
    const { client, subscribed } = this
    return {
      clientId: client.clientId,
      hostname: client.hostname,
      userAgent: client.userAgent,
      version: "HTTP",
      remoteAddress: client.remoteAddress,
      state: ClientState.subscribed,
      readyCount: subscribed?.readyCount ?? 0,
      inFlightCount: subscribed?.inFlight.size ?? 0,
      messageCount: subscribed?.messageCount ?? 0,
      finishCount: subscribed?.finishCount ?? 0,
      requeueCount: subscribed?.requeueCount ?? 0,
      connectTime: client.connectTime,
      sampleRate: 0,
      deflate: false,
      snappy: false,
      tls: client.tls,
      identity: client.grant,
      topologyZone: "",
      topologyRegion: "",
      published,
      unfinishedBytes: 0
    }
  }
}
