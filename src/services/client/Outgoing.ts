/**
 * The publishes of a Producer, from the waiting fibers to the servers: which server gets the next one, and what happens to
 * those of a server that is lost or silent. Synchronous: each step sends what can be sent. A publish whose result is known, or not
 * wanted any more, leaves all lists at once; only its place in the order of a server's replies remains.
 *
 * A server is silent while it replies to nothing it was sent. Silence is counted in steps of a tick, at most two intervals
 * each, so that a suspension of this process does not make its servers suspect.
 *
 * Hot path: a few counters per publish, no fibers.
 */
import { Exit } from "effect"
import { parseErrorCode } from "../../protocol/client/ErrorCodes.ts"
import { Chain } from "./Chain.ts"
import { ClientError, ClientErrorReason, type ServerFailure } from "./ClientError.ts"
import type { Link } from "./Link.ts"
import type { PublishCounts } from "./PublishCounts.ts"
import { type Complete, type PublishCommand, Publishing, Waiting } from "./Publishing.ts"

/** What is known of the servers that are not connected. */
export interface Servers {
  /** Whether a server may be connected soon. */
  readonly isPending: boolean
  readonly failures: ReadonlyArray<ServerFailure>
}

/** Settings of a Producer; see `ProducerOptions`. */
export interface OutgoingSettings {
  readonly maxInFlight: number
  readonly waitForServer: boolean
  readonly resend: boolean
  /** Milliseconds. */
  readonly silenceLimit: number
  readonly publishTimeout: number
  /** Whether publishes without a key stay at one server while it replies. */
  readonly sticky: boolean
  readonly servers: Servers
  readonly counts: PublishCounts
  /** Monotonic ms. */
  readonly now: () => number
  /** Called when there is something to tick for. */
  readonly onBusy: () => void
}

/** Interval of ticks in ms: the resolution of silence and timeouts. */
export const tickInterval = 100
/** New publishes avoid a server after this part of the silence limit. */
const suspectFraction = 1 / 3

/** The publishes that wait for a server, and those in flight. */
export class Outgoing {
  readonly links: Array<Link> = []
  /** All publishes without a result. They have the same timeout, so that the first ones expire first. */
  private readonly pending = new Chain<Publishing>()
  private readonly waiting = new Chain<Waiting>()
  /** Publishes that a server has and that are not settled. */
  private inFlight = 0
  private turn = 0
  private tickedAt: number | undefined
  private isClosed = false
  private isSending = false
  private readonly settings: OutgoingSettings
  private readonly suspectLimit: number

  constructor(settings: OutgoingSettings) {
    this.settings = settings
    this.suspectLimit = settings.silenceLimit * suspectFraction
  }

  /** Whether there is nothing to tick for: no publish, and no server that has to reply. */
  get isIdle(): boolean {
    return this.pending.isEmpty && this.links.every(({ unconfirmed }) => unconfirmed.length === 0)
  }

  /** Publishes; `complete` gets the result, possibly before this returns. */
  add(command: PublishCommand, complete: Complete): Publishing {
    const { counts, now, onBusy, publishTimeout } = this.settings
    if (this.pending.isEmpty) onBusy()
    const publishing = new Publishing(command, now() + publishTimeout, complete)
    if (this.isClosed) {
      publishing.settle(Exit.fail(closed()))
      return publishing
    }
    counts.pending++
    this.pending.push(publishing)
    const link = this.waiting.isEmpty && this.inFlight < this.settings.maxInFlight ? this.choose(publishing) : undefined
    if (link !== undefined) {
      this.sendTo(link, publishing)
    } else {
      this.waiting.push(publishing.waiting = new Waiting(publishing))
      this.failWithoutServer()
    }
    return publishing
  }

  /** Considers what has become known of the servers that are not connected. */
  serversChanged(): void {
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
    this.send()
  }

  /** Matches a reply to the oldest publish of the server; `refusal` is the text of an error frame. */
  reply(link: Link, refusal: string | undefined): void {
    if (!link.hasReplied) {
      link.hasReplied = true
      link.served()
    }
    link.silence = 0
    const publishing = link.unconfirmed.take()
    // A late refusal by an earlier server says nothing about the server that has the publish now.
    if (publishing !== undefined && !publishing.settled && (refusal === undefined || publishing.link === link)) {
      this.settle(publishing, refusal === undefined ? undefined : refused(publishing, link, refusal))
    }
    if (!this.waiting.isEmpty) this.send()
  }

  /** Drops a publish whose fiber was interrupted. */
  abandon(publishing: Publishing): void {
    if (publishing.settled) return
    this.settings.counts.abandoned(publishing.command)
    this.remove(publishing)
    publishing.drop()
    this.send()
  }

  /** Ticks begin again: the time since the last one does not count. */
  resumeTicks(): void {
    this.tickedAt = this.settings.now()
  }

  /** Detects silent servers and expired publishes. */
  tick(): void {
    const now = this.settings.now()
    const passed = Math.min(now - (this.tickedAt ?? now), 2 * tickInterval)
    this.tickedAt = now
    for (const link of this.links) {
      const isWaitedFor = link.unconfirmed.length > 0 && !link.hasReplied
      link.hasReplied = false
      link.silence = isWaitedFor ? link.silence + passed : 0
    }
    // Before a server is dropped: what has no reply in time has timed out.
    this.expire(now)
    for (const link of this.links.filter((each) => this.isSilent(each))) this.failOver(link)
    this.send()
  }

  /** No server can reply any more, and nothing may be published: fails all publishes. */
  close(): void {
    this.isClosed = true
    for (let next = this.pending.first; next !== undefined; next = this.pending.first) {
      const { command: { topic }, sent } = next
      this.settle(
        next,
        sent
          ? new ClientError({
            reason: ClientErrorReason.UnknownOutcome({ topic, description: "the producer was closed before a reply" })
          })
          : closed()
      )
    }
  }

  /** Fails expired publishes. */
  private expire(now: number): void {
    for (let next = this.pending.first; next !== undefined && next.deadline <= now; next = this.pending.first) {
      this.settle(next, !next.sent && this.links.length === 0 ? this.noServer(next.command.topic) : timedOut(next))
    }
  }

  private isSuspect(link: Link): boolean {
    return link.silence >= this.suspectLimit
  }

  private isSilent(link: Link): boolean {
    return link.silence >= this.settings.silenceLimit
  }

  private failOver(link: Link): void {
    const { publishTimeout, resend, waitForServer } = this.settings
    if (link.silence > publishTimeout) return link.drop("no reply to a publish in time")
    const hasAnother = this.links.some((other) => !this.isSuspect(other))
    if (hasAnother ? resend : !waitForServer) this.takeFrom(link, "no reply in time")
    if (!hasAnother) this.failWithoutServer()
  }

  /** Moves the publishes of a server back to the front of the queue, or fails them if they must not be sent twice. */
  private takeFrom(link: Link, why: string): void {
    const { resend, waitForServer } = this.settings
    const isLast = !waitForServer && !this.links.some((other) => !this.isSilent(other))
    const theirs = [...link.unconfirmed].filter((publishing) => !publishing.settled && publishing.link === link)
    for (const publishing of theirs.reverse()) {
      publishing.link = undefined
      this.inFlight--
      this.waiting.pushFront(publishing.waiting = new Waiting(publishing))
    }
    if (resend && !isLast) return
    for (const publishing of theirs.reverse()) {
      const { topic } = publishing.command
      const description = `${link.connection.address}: ${why}`
      this.settle(publishing, new ClientError({ reason: ClientErrorReason.UnknownOutcome({ topic, description }) }))
    }
  }

  /** Fails waiting publishes if they must not wait for a server. */
  private failWithoutServer(): void {
    const { servers, waitForServer } = this.settings
    if (waitForServer || this.waiting.isEmpty) return
    if (this.links.some((link) => !this.isSilent(link))) return
    if (this.links.length === 0 && servers.isPending) return
    for (let next = this.waiting.first; next !== undefined; next = this.waiting.first) {
      const { publishing } = next
      this.settle(publishing, publishing.sent ? timedOut(publishing) : this.noServer(publishing.command.topic))
    }
  }

  private noServer(topic: string): ClientError {
    const silent = this.links.map(({ connection: { address } }) => {
      const reason = ClientErrorReason.ConnectionLoss({ address, description: "no reply in time" })
      return { address, error: new ClientError({ reason }) }
    })
    const servers = [...this.settings.servers.failures, ...silent]
    const reasons = servers.map(({ error }) => error.message).join("; ")
    const description = reasons === "" ? "no nsqd is connected" : `no nsqd is connected: ${reasons}`
    return new ClientError({ reason: ClientErrorReason.NoServer({ topic, servers, description }) })
  }

  /** Sends what waits, as far as servers take it. */
  private send(): void {
    // A publish that is settled here may let its fiber publish again.
    if (this.isSending) return
    this.isSending = true
    while (!this.waiting.isEmpty && this.inFlight < this.settings.maxInFlight) {
      const { publishing } = this.waiting.first!
      const link = this.choose(publishing)
      if (link === undefined) break
      this.leaveQueue(publishing)
      this.sendTo(link, publishing)
    }
    this.isSending = false
  }

  private sendTo(link: Link, publishing: Publishing): void {
    this.inFlight++
    publishing.sent = true
    publishing.link = link
    link.unconfirmed.push(publishing)
    const { withHeaders } = publishing.command
    link.connection.encode(withHeaders === undefined || !link.connection.features.headers ? publishing : withHeaders)
  }

  /**
   * Returns the server for a publish: the next one in turn, the same one as before, or the one of its key. Suspect servers come
   * last, and silent ones not at all with `waitForServer: false`.
   */
  private choose({ command: { key } }: Publishing): Link | undefined {
    const { links } = this
    if (key !== undefined && links.length > 1) return this.chooseFor(key)
    const { sticky, waitForServer } = this.settings
    const count = links.length
    let suspect: Link | undefined
    for (let i = 0; i < count; i++) {
      const index = this.turn % count
      const link = links[index]!
      const isUsable = this.hasRoom(link)
      if (isUsable && !this.isSuspect(link)) {
        this.turn = sticky ? index : index + 1
        return link
      }
      this.turn = index + 1
      if (isUsable && (waitForServer || !this.isSilent(link))) suspect ??= link
    }
    return suspect
  }

  private chooseFor(key: string): Link | undefined {
    const usable = this.links.filter((link) => this.hasRoom(link))
    const replying = usable.filter((link) => !this.isSuspect(link))
    const candidates = replying.length > 0
      ? replying
      : usable.filter((link) => this.settings.waitForServer || !this.isSilent(link))
    let best: Link | undefined
    let rank = -1
    for (const link of candidates) {
      const own = link.rankFor(key)
      if (own > rank) [best, rank] = [link, own]
    }
    return best
  }

  /** Limits the memory for publishes of a server that does not reply. */
  private hasRoom(link: Link): boolean {
    return link.unconfirmed.length < this.settings.maxInFlight
  }

  private settle(publishing: Publishing, failure: ClientError | undefined): void {
    this.settings.counts.note(publishing.command, failure)
    this.remove(publishing)
    publishing.settle(failure === undefined ? Exit.void : Exit.fail(failure))
  }

  /** Removes a publish from all lists. */
  private remove(publishing: Publishing): void {
    this.settings.counts.pending--
    this.pending.remove(publishing)
    if (publishing.waiting !== undefined) this.leaveQueue(publishing)
    if (publishing.link !== undefined) this.inFlight--
    publishing.link = undefined
  }

  private leaveQueue(publishing: Publishing): void {
    const { waiting } = publishing
    if (waiting !== undefined) this.waiting.remove(waiting)
    publishing.waiting = undefined
  }
}

const closed = (): ClientError =>
  new ClientError({ reason: ClientErrorReason.Closed({ description: "the producer is closed" }) })

const timedOut = ({ command: { topic }, sent }: Publishing): ClientError =>
  new ClientError({ reason: ClientErrorReason.PublishTimedOut({ topic, sent, description: "no reply in time" }) })

const refused = ({ command: { topic } }: Publishing, { connection: { address } }: Link, text: string): ClientError => {
  const code = parseErrorCode(text)
  return new ClientError({ reason: ClientErrorReason.PublishRefused({ topic, address, code, description: text }) })
}
