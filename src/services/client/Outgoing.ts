/**
 * The publishes of a Producer between those who wait for them and the servers: which server gets the next one, what happens to
 * those of a server that is lost or gives no reply. Synchronous: each step sends what can be sent.
 *
 * A server is silent while it replies to nothing of what it was sent. Silence is counted in steps of a tick, at most two
 * intervals each, so that a process that stood still itself does not suspect its servers.
 *
 * Hot path: a few counters per publish, no fibers.
 */
import { Schema } from "effect"
import { Line } from "./Line.ts"
import type { NsqdConnection } from "./NsqdConnection.ts"

/** A message was not published, or nobody knows whether it was. */
export class PublishFailed extends Schema.TaggedError<PublishFailed>()("PublishFailed", {
  topic: Schema.String,
  /** The server's words, such as `E_BAD_TOPIC ...`, or why no server took it. */
  reason: Schema.String,
  /**
   * `refused`: a server has replied that it did not take the message. `unsent`: no server has been sent it. `unknown`: a server
   * was sent it and did not reply, so the message may arrive; publishing it again may duplicate it.
   */
  outcome: Schema.Literals(["refused", "unsent", "unknown"])
}) {
  override get message(): string {
    return `${this.topic}: ${this.reason}`
  }
}

/** A publish on its way. */
export interface Publishing {
  readonly topic: string
  readonly bytes: Buffer
  /** When it fails for want of a reply, in monotonic ms. */
  readonly deadline: number
  /** The server that has to reply to it; one that had it before may reply as well. */
  link: Link | undefined
  /** Some server was sent it. */
  sent: boolean
  /** Nobody waits for it any more, but a server may still reply to it. */
  settled: boolean
  readonly settle: (failure: PublishFailed | undefined) => void
}

/** A connection, and the publishes it has not replied to, oldest first, also those that nobody waits for. */
export class Link {
  readonly connection: NsqdConnection
  readonly unanswered = new Line<Publishing>()
  /** How long the server has replied to nothing, in ms. */
  silence = 0
  /** There was a reply since the last tick. */
  hasReplied = false
  /** Ends the connection, because of this. */
  readonly drop: (reason: string) => void

  constructor(connection: NsqdConnection, drop: (reason: string) => void) {
    this.connection = connection
    this.drop = drop
  }
}

export interface OutgoingSettings {
  readonly maxInFlight: number
  readonly waitForServer: boolean
  readonly resend: boolean
  /** Milliseconds. */
  readonly silenceLimit: number
  readonly publishTimeout: number
}

/** How exactly silence and timeouts are kept, in ms: the interval of ticks. */
export const tickInterval = 100
/** New publishes avoid a server that has been silent for this part of the limit. */
const suspectFraction = 1 / 3

/** Publishes waiting for a server, and those that a server has. */
export class Outgoing {
  readonly links: Array<Link> = []
  private waiting = new Line<Publishing>()
  /** Publishes that a server was sent last and that somebody waits for. */
  private inFlight = 0
  private turn = 0
  private tickedAt: number | undefined
  private readonly settings: OutgoingSettings
  private readonly suspectLimit: number
  /** Why no server is connected, once that is known. */
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

  /** There is no connection to a server, because of this. */
  noteUnavailable(reason: string): void {
    this.unavailable = reason
    this.failWithoutServer()
  }

  connect(link: Link): void {
    this.links.push(link)
    this.send()
  }

  /** What the server had goes to another one. */
  lose(link: Link): void {
    this.links.splice(this.links.indexOf(link), 1)
    this.takeFrom(link, "the connection is lost")
    this.noteUnavailable(`${link.connection.address}: the connection is lost`)
    this.send()
  }

  /** The server has replied to the oldest publish; with a reason when it refuses it. */
  reply(link: Link, refusal: string | undefined): void {
    link.silence = 0
    link.hasReplied = true
    const publishing = link.unanswered.take()
    // The refusal of a server that was too slow says nothing about the server that has the publish now.
    if (publishing !== undefined && (refusal === undefined || publishing.link === link)) {
      const { topic } = publishing
      this.settle(
        publishing,
        refusal === undefined ? undefined : new PublishFailed({ topic, reason: refusal, outcome: "refused" })
      )
    }
    this.send()
  }

  /** Nobody waits for it any more. */
  abandon(publishing: Publishing): void {
    this.forget(publishing)
    this.send()
  }

  /** Notices servers that do not reply, and publishes whose time is over. `now` in monotonic ms. */
  tick(now: number): void {
    const passed = Math.min(now - (this.tickedAt ?? now), 2 * tickInterval)
    this.tickedAt = now
    for (const link of this.links) {
      const isWaitedFor = link.unanswered.length > 0 && !link.hasReplied
      link.hasReplied = false
      link.silence = isWaitedFor ? link.silence + passed : 0
    }
    for (const link of this.links.filter((each) => this.isSilent(each))) this.failOver(link)
    this.expire(now)
    this.send()
  }

  /** Fails what has been under way for too long. All have the same time, so of those that wait the oldest come first. */
  expire(now: number): void {
    for (const publishing of this.waiting) {
      if (publishing.deadline > now) break
      this.fail(publishing, this.links.length === 0 ? "no nsqd is connected" : "no reply in time")
    }
    while (this.waiting.first?.settled === true) this.waiting.take()
    for (const { unanswered } of this.links) {
      for (const publishing of unanswered) if (publishing.deadline <= now) this.fail(publishing, "no reply in time")
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

  /** What the server had waits for another one again, or fails where it must not be sent twice. */
  private takeFrom(link: Link, reason: string): void {
    const { resend, waitForServer } = this.settings
    const before = this.waiting
    const isLast = !waitForServer && !this.links.some((other) => !this.isSilent(other))
    this.waiting = new Line()
    for (const publishing of link.unanswered) {
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

  /** Fails what waits where it is not to wait for a server that replies. */
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
      link.unanswered.push(next)
      link.connection.send(next.bytes)
    }
  }

  /** The servers in turn; those that are suspect only where all are, unless publishes are not to wait for them. */
  private nextLink(): Link | undefined {
    const { maxInFlight, waitForServer } = this.settings
    const count = this.links.length
    let suspect: Link | undefined
    for (let i = 0; i < count; i++) {
      const link = this.links[this.turn++ % count]!
      // Of a server that replies to nothing, only so much is remembered.
      if (link.unanswered.length >= maxInFlight) continue
      if (!this.isSuspect(link)) return link
      if (waitForServer || !this.isSilent(link)) suspect ??= link
    }
    return suspect
  }

  private fail(publishing: Publishing, reason: string): void {
    const { sent, topic } = publishing
    this.settle(publishing, new PublishFailed({ topic, reason, outcome: sent ? "unknown" : "unsent" }))
  }

  private settle(publishing: Publishing, failure: PublishFailed | undefined): void {
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
