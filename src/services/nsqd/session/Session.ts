/**
 * The state of one client connection: what was negotiated, where it is in its life, its subscription, its outgoing bytes. It
 * is the channel's `Consumer` and what `/stats` shows. What the commands do is in `Commands`, the fibers in `ClientLoop`.
 */
import { CommandDecoder, type CommandGate, type DecoderLimits } from "../../../protocol/client/CommandDecoder.ts"
import type { IdentifyLimits, Negotiated } from "../../../protocol/client/Identify.ts"
import { type ProtocolError, protocolError } from "../../../protocol/client/ProtocolError.ts"
import { Wakeup } from "../../core/Wakeup.ts"
import type { TlsDetails } from "../../net/ServerTls.ts"
import type { Connection } from "../../net/Transport.ts"
import type { Authorization } from "../auth/Authorization.ts"
import type { Membership } from "../broker/Broker.ts"
import { type Client, ClientState, type ClientStats } from "../broker/Clients.ts"
import * as Locality from "../broker/Locality.ts"
import type { Consumer } from "../broker/Subscription.ts"
import type { Topic } from "../broker/Topic.ts"
import { Outbox } from "./Outbox.ts"

const refused = (command: string): ProtocolError => protocolError("E_INVALID", `cannot ${command} in current state`)

/** What holds before, or without, an IDENTIFY. */
const defaults = (limits: IdentifyLimits, host: string): Negotiated => ({
  clientId: host,
  hostname: host,
  userAgent: "",
  heartbeatInterval: limits.defaultHeartbeatInterval,
  outputBufferSize: limits.defaultOutputBufferSize,
  outputBufferTimeout: limits.defaultOutputBufferTimeout,
  sampleRate: 0,
  msgTimeout: limits.defaultMsgTimeout,
  topologyRegion: "",
  topologyZone: "",
  tls: false,
  deflate: false,
  deflateLevel: 0,
  snappy: false
})

/** Far below NSQ's default output_buffer_timeout of 250 ms, which stays an upper bound. */
const maxLateFlushMillis = 5

/** The host of an address; empty for a unix socket. */
export const hostOf = (address: string): string => {
  const colon = address.lastIndexOf(":")
  return colon < 0 ? "" : address.slice(0, colon).replace(/^\[|\]$/g, "")
}

/** What holds for every client. */
export interface SessionLimits {
  readonly decoder: DecoderLimits
  readonly identify: IdentifyLimits
  /** Until it uses TLS a client may do nothing but IDENTIFY. */
  readonly tlsRequired: boolean
}

export class Session implements CommandGate, Consumer, Client {
  readonly outbox: Outbox
  readonly decoder: CommandDecoder
  negotiated: Negotiated
  /** How near the client is, as far as its IDENTIFY tells. */
  locality = Locality.global
  state: ClientState = ClientState.init
  membership: Membership | undefined
  /** What an auth server says the client may do; `undefined` before AUTH. */
  authorization: Authorization | undefined
  /** When the last command was complete, in monotonic ms. */
  lastHeard: number
  /** Counts what has been read and carried out. */
  inputSteps = 0
  /** Commands that have arrived wait for their turn. */
  awaitsTurn = false
  /** A command is being carried out, and the client is not read from meanwhile: its silence means nothing. */
  waiting = false
  /** Commands, or work of their size, since the connection last looked whether its turn is over. */
  work = 0
  /** The connection is being replaced: nothing may be sent but by who does it. */
  upgrading = false
  /** The topic of the last publish: pipelines use one topic, and finding it again costs nothing. */
  lastTopic: Topic | undefined
  readonly published = new Map<string, number>()
  /** Called when the client is cut off from outside, because its channel is gone. */
  readonly cutOff = new Wakeup()
  /** Called when the client does not take what it is sent, or when messages were held back to go out with others. */
  readonly outputWaits = new Wakeup()
  /** Called when an IDENTIFY has set the heartbeat interval. */
  readonly heartbeatChanged = new Wakeup()
  private readonly connectTime: number
  /** Messages delivered and not sent yet. */
  private unsent = 0
  /** The channel was told that nothing more may be delivered, and has not been woken since. */
  private refused = false
  private current: Connection
  private tlsMissing: boolean
  private tlsDetails: TlsDetails | undefined
  private compressed: "deflate" | "snappy" | undefined

  /** `now` in monotonic ms, `connectTime` in Unix seconds. */
  constructor(connection: Connection, limits: SessionLimits, now: number, connectTime: number) {
    this.current = connection
    this.outbox = new Outbox(connection)
    this.decoder = new CommandDecoder(limits.decoder)
    this.negotiated = defaults(limits.identify, hostOf(connection.remoteAddress))
    this.tlsMissing = limits.tlsRequired
    this.lastHeard = now
    this.connectTime = connectTime
  }

  // ---- the connection, which an IDENTIFY may replace

  get connection(): Connection {
    return this.current
  }

  /** How the connection is encrypted; `undefined` when it is not. */
  get tls(): TlsDetails | undefined {
    return this.tlsDetails
  }

  /** How the connection is compressed; `undefined` when it is not. */
  get compression(): "deflate" | "snappy" | undefined {
    return this.compressed
  }

  /** Goes on inside TLS. */
  secure(connection: Connection, details: TlsDetails): void {
    this.tlsMissing = false
    this.tlsDetails = details
    this.replace(connection)
  }

  /** Goes on compressed. */
  compress(connection: Connection, how: "deflate" | "snappy"): void {
    this.compressed = how
    this.replace(connection)
  }

  private replace(connection: Connection): void {
    this.current = connection
    this.outbox.redirect(connection)
  }

  // ---- the gate: which commands a state permits (section 5 of the protocol notes)

  refuse(command: string): ProtocolError | undefined {
    if (this.tlsMissing && command !== "IDENTIFY") {
      return protocolError("E_INVALID", `cannot ${command} in current state (TLS required)`)
    }
    switch (command) {
      case "FIN":
      case "REQ":
      case "TOUCH":
        return this.state === ClientState.init ? refused(command) : undefined
      case "RDY":
        return this.state === ClientState.init ? refused(command) : undefined
      case "CLS":
        return this.state === ClientState.subscribed ? undefined : refused(command)
      case "IDENTIFY":
      case "AUTH":
        return this.state === ClientState.init ? undefined : refused(command)
      case "SUB":
        if (this.state !== ClientState.init) return refused(command)
        return this.negotiated.heartbeatInterval === 0
          ? protocolError("E_INVALID", "cannot SUB with heartbeats disabled")
          : undefined
      default:
        return undefined
    }
  }

  // ---- the consumer

  deliver(frames: Buffer, start: number, end: number, count: number): void {
    this.unsent += count
    this.outbox.add(frames, start, end)
  }

  /**
   * Sends what was delivered, unless the client is not waiting for it: one that has half of its ready count still to answer
   * gets single messages together with later ones, within `lateFlushMillis`.
   */
  flush(): void {
    const subscription = this.membership?.subscription
    if (
      this.unsent > 0 && subscription !== undefined && this.negotiated.outputBufferSize > 1 &&
      (subscription.inFlight.size - this.unsent) * 2 > subscription.readyCount &&
      this.outbox.gathered < this.negotiated.outputBufferSize
    ) {
      this.outputWaits.call()
    } else {
      this.send()
    }
  }

  /**
   * Sends everything, then looks at what is left: while messages gather the connection may be full, and the flush may have
   * emptied it at once. Either the channel hears that it may go on, or the output loop waits until the client has taken it.
   */
  send(): void {
    this.unsent = 0
    this.outbox.flush()
    if (!this.outbox.isWritable) {
      this.outputWaits.call()
    } else if (this.refused) {
      this.refused = false
      this.membership?.channel.wake()
    }
  }

  /** Whether messages wait to go out with others. */
  get holdsBack(): boolean {
    return this.unsent > 0
  }

  /** How long messages may be held back, in ms. */
  get lateFlushMillis(): number {
    return Math.min(maxLateFlushMillis, this.negotiated.outputBufferTimeout || maxLateFlushMillis)
  }

  isWritable(): boolean {
    const { isWritable } = this.outbox
    if (!isWritable) this.refused = true
    return isWritable
  }

  /** While input is still being decompressed, or waits for its turn, every look counts as a step. */
  inputMark(): number {
    if (this.awaitsTurn || this.connection.isDecoding?.() === true) this.inputSteps++
    return this.inputSteps
  }

  close(): void {
    this.cutOff.call()
  }

  // ---- statistics

  notePublished(topic: string, count: number): void {
    this.published.set(topic, (this.published.get(topic) ?? 0) + count)
  }

  stats(): ClientStats {
    const subscription = this.membership?.subscription
    const { negotiated } = this
    return {
      clientId: negotiated.clientId,
      hostname: negotiated.hostname,
      userAgent: negotiated.userAgent,
      version: "V2",
      remoteAddress: this.connection.remoteAddress,
      state: this.state,
      readyCount: subscription?.readyCount ?? 0,
      inFlightCount: subscription?.inFlight.size ?? 0,
      messageCount: subscription?.messageCount ?? 0,
      finishCount: subscription?.finishCount ?? 0,
      requeueCount: subscription?.requeueCount ?? 0,
      connectTime: this.connectTime,
      sampleRate: negotiated.sampleRate,
      deflate: this.compressed === "deflate",
      snappy: this.compressed === "snappy",
      tls: this.tlsDetails,
      identity: this.authorization?.grant,
      topologyZone: negotiated.topologyZone,
      topologyRegion: negotiated.topologyRegion,
      published: this.published,
      unfinishedBytes: this.decoder.buffered
    }
  }
}
