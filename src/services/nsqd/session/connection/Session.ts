/**
 * The state of one client connection: negotiated options, protocol state, subscription, outgoing bytes. It is the
 * channel's `Consumer`, and `/stats` shows it. `commands/` and `ClientLoop` change it through its methods only.
 */
import type { Effect } from "effect"
import { CommandDecoder, type CommandGate, type DecoderLimits } from "../../../../protocol/client/CommandDecoder.ts"
import type { IdentifyLimits, Negotiated } from "../../../../protocol/client/Identify.ts"
import type { ProtocolError } from "../../../../protocol/client/ProtocolError.ts"
import { Wakeup } from "../../../core/Wakeup.ts"
import type { TlsDetails } from "../../../net/TlsHandshake.ts"
import type { Connection } from "../../../net/Transport.ts"
import type { Authorization } from "../../auth/Authorization.ts"
import type { Client, ClientSettings, ClientStats } from "../../broker/Clients.ts"
import * as Locality from "../../broker/Locality.ts"
import type { Consumer, Subscription } from "../../broker/Subscription.ts"
import { Activity } from "./Activity.ts"
import * as ConnectionState from "./ConnectionState.ts"
import { Outbox } from "./Outbox.ts"
import { Publishes } from "./Publishes.ts"

/** The options before, or without, an IDENTIFY. */
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
  snappy: false,
  headers: false,
  rejects: false
})

/** Far below NSQ's default output_buffer_timeout of 250 ms. The negotiated timeout is an upper bound. */
const maxLateFlushMillis = 5

/** The host of an address; empty for a unix socket. */
export const hostOf = (address: string): string => {
  const colon = address.lastIndexOf(":")
  return colon < 0 ? "" : address.slice(0, colon).replace(/^\[|\]$/g, "")
}

/** The limits for every client. */
export interface SessionLimits {
  readonly decoder: DecoderLimits
  readonly identify: IdentifyLimits
  /** A client may send only IDENTIFY until it uses TLS. */
  readonly tlsRequired: boolean
  /** The error if the session's state does not permit a command; `undefined` if it does. */
  readonly refuse: (session: Session, command: string) => ProtocolError | undefined
}

/** The fibers of a connection; the session controls them from synchronous code. */
export interface SessionFibers {
  /** Ends the connection as soon as the running code is done. */
  readonly end: () => void
  /** Continues with the negotiated heartbeat interval. */
  readonly restartHeartbeats: () => void
  /** Starts the fiber that waits for `outputWaits`, as soon as the running code is done. */
  readonly startOutput: () => void
}

/** A client connection. */
export class Session implements CommandGate, Consumer, Client {
  readonly outbox: Outbox
  readonly decoder: CommandDecoder
  readonly activity: Activity
  readonly publishes = new Publishes()
  readonly published = new Map<string, number>()
  /**
   * Called when the client does not read its output, or when messages were held back to be sent with others. Absent until
   * then, as is the fiber that waits for it: an idle client has none.
   */
  private outputWaits: Wakeup | undefined
  private fibers: SessionFibers | undefined
  private readonly connectTime: number
  private readonly limits: SessionLimits
  private currentState: ConnectionState.ConnectionState = ConnectionState.init
  private currentOptions: Negotiated
  private currentLocality = Locality.global
  private currentAuthorization: Authorization | undefined
  private upgrading = false
  /** Messages delivered but not sent yet. */
  private unsent = 0
  /** The channel has seen a full outbox and has not been woken since. */
  private refused = false
  private current: Connection
  private tlsMissing: boolean
  /** The command that was permitted last: only a transition or another command can change that. */
  private permitted: string | undefined
  private tlsDetails: TlsDetails | undefined
  private compressed: "deflate" | "snappy" | undefined

  /** `now` in monotonic ms, `connectTime` in Unix seconds. */
  constructor(connection: Connection, limits: SessionLimits, now: number, connectTime: number) {
    this.current = connection
    this.outbox = new Outbox(connection)
    this.decoder = new CommandDecoder(limits.decoder)
    this.currentOptions = defaults(limits.identify, hostOf(connection.remoteAddress))
    this.tlsMissing = limits.tlsRequired
    this.limits = limits
    this.activity = new Activity(now)
    this.connectTime = connectTime
  }

  // ---- the state and its transitions

  get state(): ConnectionState.ConnectionState {
    return this.currentState
  }

  /** The subscription; `undefined` before SUB. */
  get subscription(): Subscription | undefined {
    return this.currentState._tag === "Init" ? undefined : this.currentState.subscription
  }

  /** After SUB. */
  subscribed(subscription: Subscription): void {
    this.become({ _tag: "Subscribed", subscription })
  }

  /** After CLS: no more messages are delivered. */
  startClosing(): void {
    if (this.currentState._tag !== "Subscribed") return
    const { subscription } = this.currentState
    subscription.setReady(0)
    this.become({ _tag: "Closing", subscription })
  }

  private become(state: ConnectionState.ConnectionState): void {
    this.currentState = state
    this.permitted = undefined
  }

  /** The error if the state does not permit the command. Commands of one kind follow each other: the check of each would cost 7 % of a fan-out. */
  refuse(command: string): ProtocolError | undefined {
    if (command === this.permitted) return undefined
    const error = this.limits.refuse(this, command)
    this.permitted = error === undefined ? command : undefined
    return error
  }

  // ---- the negotiated options

  get negotiated(): Negotiated {
    return this.currentOptions
  }

  /** The client's locality according to its IDENTIFY. */
  get locality(): Locality.Locality {
    return this.currentLocality
  }

  negotiate(options: Negotiated, locality: Locality.Locality): void {
    const { heartbeatInterval } = this.currentOptions
    this.currentOptions = options
    this.currentLocality = locality
    if (options.heartbeatInterval !== heartbeatInterval) this.fibers?.restartHeartbeats()
  }

  // ---- the fibers

  /** Sets the fibers that the session controls; `undefined` when they have ended. */
  attach(fibers: SessionFibers | undefined): void {
    this.fibers = fibers
  }

  /** Whether the client waits for the execution of a command, so that its silence does not count. */
  get isWaiting(): boolean {
    return this.activity.isWaiting || !this.publishes.isIdle
  }

  /** Completes when output waits. Only the fiber that `startOutput` starts may use it. */
  get outputWaiting(): Effect.Effect<void> {
    this.outputWaits ??= new Wakeup()
    return this.outputWaits.wait
  }

  /** Wakes the fiber that waits for output, or starts it. */
  private awaitOutput(): void {
    if (this.outputWaits !== undefined) return this.outputWaits.call()
    this.outputWaits = new Wakeup()
    this.outputWaits.call()
    this.fibers?.startOutput()
  }

  /** Disconnects the client: its channel is deleted or closed, one of the fibers has found a reason, or an operator wants it. */
  close(): void {
    this.fibers?.end()
  }

  // ---- authorization

  /** The grant of the auth server; `undefined` before AUTH. */
  get authorization(): Authorization | undefined {
    return this.currentAuthorization
  }

  authorize(authorization: Authorization): void {
    this.currentAuthorization = authorization
  }

  // ---- the connection, which an upgrade replaces

  /** The connection is being upgraded: only the upgrade may write. */
  get isUpgrading(): boolean {
    return this.upgrading
  }

  beginUpgrade(): void {
    this.upgrading = true
  }

  endUpgrade(): void {
    this.upgrading = false
  }

  /** The client may send only IDENTIFY until it uses TLS. */
  get isTlsMissing(): boolean {
    return this.tlsMissing
  }

  get connection(): Connection {
    return this.current
  }

  /** The TLS session; `undefined` without TLS. */
  get tls(): TlsDetails | undefined {
    return this.tlsDetails
  }

  /** The compression; `undefined` without one. */
  get compression(): "deflate" | "snappy" | undefined {
    return this.compressed
  }

  /** Continues inside TLS. */
  secure(connection: Connection, details: TlsDetails): void {
    this.tlsMissing = false
    this.tlsDetails = details
    this.replace(connection)
  }

  /** Continues compressed. */
  compress(connection: Connection, how: "deflate" | "snappy"): void {
    this.compressed = how
    this.replace(connection)
  }

  private replace(connection: Connection): void {
    this.current = connection
    this.outbox.redirect(connection)
  }

  // ---- the consumer

  get readsHeaders(): boolean {
    return this.negotiated.headers
  }

  deliver(frames: Buffer, start: number, end: number, count: number): void {
    this.unsent += count
    this.outbox.add(frames, start, end)
  }

  /**
   * Sends delivered messages, unless the client is busy: with more than half of its ready count unacknowledged, it
   * gets single messages together with later ones, within `lateFlushMillis`.
   */
  flush(): void {
    const { subscription } = this
    if (
      this.unsent > 0 && subscription !== undefined && this.negotiated.outputBufferSize > 1 &&
      (subscription.inFlight.size - this.unsent) * 2 > subscription.readyCount &&
      this.outbox.gathered < this.negotiated.outputBufferSize
    ) {
      this.awaitOutput()
    } else {
      this.send()
    }
  }

  /**
   * Sends everything, then checks the connection, which may have been full while messages were collected. Either the
   * channel is woken, or the output loop waits until the client has read its output.
   */
  send(): void {
    this.unsent = 0
    this.outbox.flush()
    if (!this.outbox.isWritable) {
      this.awaitOutput()
    } else if (this.refused) {
      this.refused = false
      this.subscription?.wake()
    }
  }

  /** Whether messages are held back. */
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

  /** While input is being decompressed or waits for its turn, every call counts as a step. */
  inputMark(): number {
    const { activity } = this
    if (activity.awaitsTurn || this.connection.isDecoding?.() === true) activity.stepped()
    return activity.inputSteps
  }

  /** The name of the client in dead letters. */
  name(): string {
    return `${this.negotiated.clientId} ${this.connection.remoteAddress}`
  }

  // ---- statistics

  notePublished(topic: string, count: number): void {
    this.published.set(topic, (this.published.get(topic) ?? 0) + count)
  }

  settings(): ClientSettings {
    return this.negotiated
  }

  stats(): ClientStats {
    const { subscription } = this
    const { negotiated } = this
    return {
      clientId: negotiated.clientId,
      hostname: negotiated.hostname,
      userAgent: negotiated.userAgent,
      version: "V2",
      remoteAddress: this.connection.remoteAddress,
      state: ConnectionState.numbers[this.state._tag],
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
