/**
 * The publishes of a Producer, from the waiting fibers to the servers: which server gets the next one, and what happens to
 * those of a server that is lost or silent. Synchronous: each step sends what can be sent.
 *
 * A server is silent while it replies to nothing it was sent. Silence is counted in steps of a tick, at most two intervals
 * each, so that a suspension of this process does not make its servers suspect.
 *
 * Hot path: a few counters per publish, no fibers.
 */
import { ClientError, ClientErrorReason } from "./ClientError.ts"
import { Line } from "./Line.ts"
import type { NsqdConnection } from "./NsqdConnection.ts"

/** A publish that is waiting or in flight. */
export interface Publishing {
  readonly topic: string
  readonly bytes: Buffer
  /** Time at which it fails without a reply, in monotonic ms. */
  readonly deadline: number
  /** The server that must reply; an earlier one may still reply as well. */
  link: Link | undefined
  /** Whether it was sent to any server. */
  sent: boolean
  /** Whether its result is known or no longer wanted; a server may still reply to it. */
  settled: boolean
  /** Completes the publish. */
  readonly settle: (failure: ClientError | undefined) => void
}

/** A connection with its publishes that the server has not replied to, oldest first, including settled ones. */
export class Link {
  readonly connection: NsqdConnection
  readonly unconfirmed = new Line<Publishing>()
  /** Time without any reply to what it was sent, in ms. */
  silence = 0
  /** Whether a reply came since the last tick. */
  hasReplied = false
  /** Ends the connection for this reason. */
  readonly drop: (reason: string) => void

  constructor(connection: NsqdConnection, drop: (reason: string) => void) {
    this.connection = connection
    this.drop = drop
  }
}

/** Settings of a Producer; see `ProducerOptions`. */
export interface OutgoingSettings {
  readonly maxInFlight: number
  readonly waitForServer: boolean
  readonly resend: boolean
  /** Milliseconds. */
  readonly silenceLimit: number
  readonly publishTimeout: number
}

/** Interval of ticks in ms: the resolution of silence and timeouts. */
export const tickInterval = 100
/** New publishes avoid a server after this part of the silence limit. */
const suspectFraction = 1 / 3

/** The publishes that wait for a server, and those in flight. */
export class Outgoing {
  readonly links: Array<Link> = []
  private waiting = new Line<Publishing>()
  /** Publishes that a server has and that are not settled. */
  private inFlight = 0
  private turn = 0
  private tickedAt: number | undefined
  private readonly settings: OutgoingSettings
  private readonly suspectLimit: number
  /** Why no server is connected, once known. */
  private unavailable: string | undefined

  constructor(settings: OutgoingSettings) {
    this.settings = settings
    this.suspectLimit = settings.silenceLimit * suspectFraction
  }

  add(publishing: Publishing): void {
    this.waiting.push(publishing)
    this.send()
    this.failWithoutServer()
  }

  /** Records why a server is not connected. */
  noteUnavailable(reason: string): void {
    this.unavailable = reason
    this.failWithoutServer()
  }

  connect(link: Link): void {
    this.links.push(link)
    this.send()
  }

  /** Removes a server; its publishes go to another one. */
  lose(link: Link): void {
    this.links.splice(this.links.indexOf(link), 1)
    this.takeFrom(link, "connection lost")
    this.noteUnavailable(`${link.connection.address}: connection lost`)
    this.send()
  }

  /** Matches a reply to the oldest publish of the server; `refusal` is the text of an error frame. */
  reply(link: Link, refusal: string | undefined): void {
    link.silence = 0
    link.hasReplied = true
    const publishing = link.unconfirmed.take()
    // A late refusal by an earlier server says nothing about the server that has the publish now.
    if (publishing !== undefined && (refusal === undefined || publishing.link === link)) {
      const { topic } = publishing
      this.settle(
        publishing,
        refusal === undefined
          ? undefined
          : new ClientError({ reason: ClientErrorReason.MessageRefusal({ topic, description: refusal }) })
      )
    }
    this.send()
  }

  /** Drops a publish whose fiber was interrupted. */
  abandon(publishing: Publishing): void {
    this.forget(publishing)
    this.send()
  }

  /** Detects silent servers and expired publishes. `now` in monotonic ms. */
  tick(now: number): void {
    const passed = Math.min(now - (this.tickedAt ?? now), 2 * tickInterval)
    this.tickedAt = now
    for (const link of this.links) {
      const isWaitedFor = link.unconfirmed.length > 0 && !link.hasReplied
      link.hasReplied = false
      link.silence = isWaitedFor ? link.silence + passed : 0
    }
    for (const link of this.links.filter((each) => this.isSilent(each))) this.failOver(link)
    this.expire(now)
    this.send()
  }

  /** Fails expired publishes. All have the same timeout, so the oldest of those that wait come first. */
  expire(now: number): void {
    for (const publishing of this.waiting) {
      if (publishing.deadline > now) break
      this.fail(publishing, this.links.length === 0 ? "no nsqd is connected" : "no reply in time")
    }
    while (this.waiting.first?.settled === true) this.waiting.take()
    for (const { unconfirmed } of this.links) {
      for (const publishing of unconfirmed) if (publishing.deadline <= now) this.fail(publishing, "no reply in time")
    }
  }

  private isSuspect(link: Link): boolean {
    return link.silence >= this.suspectLimit
  }

  private isSilent(link: Link): boolean {
    return link.silence >= this.settings.silenceLimit
  }

  private failOver(link: Link): void {
    const { address } = link.connection
    const { publishTimeout, resend, waitForServer } = this.settings
    if (link.silence >= publishTimeout) return link.drop("no reply to a publish in time")
    const hasAnother = this.links.some((other) => !this.isSuspect(other))
    if (hasAnother ? resend : !waitForServer) this.takeFrom(link, "no reply in time")
    if (!hasAnother && !waitForServer) this.noteUnavailable(`${address}: no reply in time`)
  }

  /** Moves the publishes of a server back to the front of the queue, or fails them if they must not be sent twice. */
  private takeFrom(link: Link, reason: string): void {
    const { resend, waitForServer } = this.settings
    const before = this.waiting
    const isLast = !waitForServer && !this.links.some((other) => !this.isSilent(other))
    this.waiting = new Line()
    for (const publishing of link.unconfirmed) {
      if (publishing.settled || publishing.link !== link) continue
      if (!resend || isLast) {
        this.fail(publishing, `${link.connection.address}: ${reason}`)
        continue
      }
      publishing.link = undefined
      this.inFlight--
      this.waiting.push(publishing)
    }
    for (const publishing of before) this.waiting.push(publishing)
  }

  /** Fails waiting publishes if they must not wait for a server. */
  private failWithoutServer(): void {
    const { unavailable } = this
    if (this.settings.waitForServer || unavailable === undefined) return
    if (this.links.some((link) => !this.isSilent(link))) return
    for (let next = this.waiting.take(); next !== undefined; next = this.waiting.take()) this.fail(next, unavailable)
  }

  private send(): void {
    while (this.waiting.length > 0 && this.inFlight < this.settings.maxInFlight) {
      const link = this.nextLink()
      if (link === undefined) return
      const next = this.waiting.take()
      if (next === undefined || next.settled) continue
      this.inFlight++
      next.sent = true
      next.link = link
      link.unconfirmed.push(next)
      link.connection.send(next.bytes)
    }
  }

  /** Returns the next server in turn. Suspect servers come last, and silent ones not at all with `waitForServer: false`. */
  private nextLink(): Link | undefined {
    const { maxInFlight, waitForServer } = this.settings
    const count = this.links.length
    let suspect: Link | undefined
    for (let i = 0; i < count; i++) {
      const link = this.links[this.turn++ % count]!
      // Limits the memory for publishes of a server that does not reply.
      if (link.unconfirmed.length >= maxInFlight) continue
      if (!this.isSuspect(link)) return link
      if (waitForServer || !this.isSilent(link)) suspect ??= link
    }
    return suspect
  }

  private fail(publishing: Publishing, description: string): void {
    const { sent, topic } = publishing
    const reason = sent ? ClientErrorReason.UnknownOutcome : ClientErrorReason.NoServer
    this.settle(publishing, new ClientError({ reason: reason({ topic, description }) }))
  }

  private settle(publishing: Publishing, failure: ClientError | undefined): void {
    if (publishing.settled) return
    this.forget(publishing)
    publishing.settle(failure)
  }

  private forget(publishing: Publishing): void {
    if (publishing.settled) return
    publishing.settled = true
    if (publishing.link !== undefined) this.inFlight--
    publishing.link = undefined
  }
}
