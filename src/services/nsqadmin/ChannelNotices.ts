/**
 * The causes for warnings about a channel: without consumers it grows, or with consumers it is stuck, grows, comes back, is not ready,
 * is unevenly served, deferred or old (docs/nsqadmin.md#warnings). Pure.
 */
import * as ChannelWindow from "./ChannelWindow.ts"
import type { Consumer } from "./ConsumerFlows.ts"
import type { ChannelFigures } from "./Figures.ts"
import { amount, type Notice, notice, number, rate, type Thresholds, waiting } from "./Notices.ts"

/** What is known about a channel. */
export interface Observed {
  readonly topic: string
  readonly channel: string
  readonly figures: ChannelFigures
  readonly window: ChannelWindow.Window
  /** The previous causes, while the window is too short to judge because it began anew. */
  readonly held: ReadonlyArray<Notice>
  /** Empty unless messages wait and consumers are connected. */
  readonly consumers: ReadonlyArray<Consumer>
  /** Since when every consumer of an nsqd has RDY 0 while messages wait there, in Unix milliseconds, by the address of the nsqd. */
  readonly unready: ReadonlyMap<string, number>
  /** Whether the channel was growing without consumers in the previous sample. */
  readonly wasUnconsumed: boolean
  /** Unix milliseconds. */
  readonly now: number
}

/** Returns where a topic or channel is paused; empty if on all its nsqds. */
export const pausedOn = (paused: number, nodes: number): string =>
  paused === nodes ? "" : ` on ${paused} of ${amount(nodes, "nsqd")}`

/** The least number of requeued messages, or of deliveries, to judge by. */
const fewMessages = 10

/** The consumer with most messages in flight among those with fewest finished ones. */
const slowest = (consumers: ReadonlyArray<Consumer>): string => {
  const [worst] = consumers.toSorted((a, b) => a.finished - b.finished || b.inFlight - a.inFlight)
  return worst === undefined
    ? ""
    : `${worst.name} holds ${number(worst.inFlight)} in flight, ${amount(worst.timedOut, "timeout")}, ${
      number(worst.finished)
    } finished`
}

const growing = ({ depth, seconds }: ChannelWindow.Changes): string =>
  depth > 0 ? `, growing ${rate(depth / seconds)}` : ""

function* unconsumed({ channel, figures: { depth }, topic, wasUnconsumed, window }: Observed, period: number) {
  const changes = ChannelWindow.changesOf(window, period)
  const last = window.at(-2)
  const hasShrunk = last !== undefined && depth < last.depth
  if (hasShrunk || depth === 0 || !(wasUnconsumed || (changes !== undefined && changes.depth > 0))) return
  const growth = changes === undefined ? "" : growing(changes)
  const text = `Channel ${channel} of topic ${topic} has no consumers: ${waiting(depth)}${growth}`
  yield notice("unconsumed_channel", { topic, channel }, text, changes === undefined ? {} : { began: changes.since })
}

/** Deliveries differ only among consumers of the same nsqd that are ready. */
function* uneven(
  { channel, consumers, topic }: Observed,
  { deliveryRatio }: Thresholds
): Generator<Notice> {
  if (deliveryRatio === 0) return
  for (const node of new Set(consumers.map((consumer) => consumer.node))) {
    const compared = consumers.filter((one) => one.node === node && one.ready > 0 && one.rate !== undefined)
      .toSorted((a, b) => (b.rate ?? 0) - (a.rate ?? 0))
    const [most, least] = [compared[0], compared.at(-1)]
    if (most === undefined || least === undefined || most === least || most.received < fewMessages) continue
    if (most.received < deliveryRatio * Math.max(1, least.received)) continue
    const text =
      `Consumers of channel ${channel} of topic ${topic} receive very different numbers of messages on ${node}: ${most.name} ${
        rate(most.rate ?? 0)
      }, ${least.name} ${rate(least.rate ?? 0)}`
    yield notice("uneven_consumers", { topic, channel, node }, text, { detail: slowest([least]) })
    return
  }
}

function* unready({ channel, consumers, figures, now, topic, unready: since }: Observed, { period }: Thresholds) {
  for (const [node, began] of since) {
    if (now - began < period) continue
    const count = consumers.filter((consumer) => consumer.node === node).length
    const text = `${waiting(figures.depth)} in channel ${channel} of topic ${topic}, but ${
      count === 1 ? "the consumer" : `all ${count} consumers`
    } on ${node} ${count === 1 ? "has" : "have"} RDY 0`
    yield notice("idle_consumers", { topic, channel, node }, text, { began })
  }
}

function* consumed(observed: Observed, thresholds: Thresholds): Generator<Notice> {
  const { channel, consumers, figures, now, topic, window } = observed
  const { deferred_count, depth, oldest } = figures
  const subject = { topic, channel }
  const name = `Channel ${channel} of topic ${topic}`
  const changes = ChannelWindow.changesOf(window, thresholds.period)
  const detail = slowest(consumers)
  let isReported = false
  if (changes !== undefined) {
    const { deferred, finished, requeued, seconds, since: began, timedOut } = changes
    const isStuck = timedOut > 0 && finished <= 0
    const isRequeueing = thresholds.requeuePercent > 0 && requeued >= fewMessages &&
      requeued * 100 > Math.max(0, finished) * thresholds.requeuePercent
    if (isStuck) {
      const text = `${name} makes no progress: ${waiting(depth)}${growing(changes)}, ${
        amount(timedOut, "timeout")
      } and nothing finished in ${number(seconds)} s`
      yield notice("stuck_channel", subject, text, { detail, began })
    }
    if (isRequeueing) {
      const text = `${name} requeues more than it finishes: ${rate(requeued / seconds)} requeued, ${
        rate(Math.max(0, finished) / seconds)
      } finished, ${waiting(depth)}${growing(changes)}`
      yield notice("requeueing_channel", subject, text, { detail, began })
    }
    if (!isStuck && !isRequeueing && changes.depth > 0 && depth >= thresholds.depth) {
      const text = `${name} grows although ${amount(figures.client_count, "consumer")} ${
        figures.client_count === 1 ? "is" : "are"
      } connected: ${waiting(depth)}${growing(changes)}, ${rate(Math.max(0, finished) / seconds)} finished`
      yield notice("growing_channel", subject, text, { detail, began })
      isReported = true
    }
    if (deferred > 0 && deferred_count >= thresholds.depth) {
      const text = `${name} defers more and more messages: ${number(deferred_count)}, growing ${
        rate(deferred / seconds)
      }`
      yield notice("growing_deferred", subject, text, { began })
    }
    isReported ||= isStuck || isRequeueing
  } else {
    yield* observed.held
    isReported = observed.held.length > 0
  }
  yield* unready(observed, thresholds)
  yield* uneven(observed, thresholds)
  if (!isReported && thresholds.oldest > 0 && oldest !== null && now - oldest > thresholds.oldest) {
    const minutes = Math.floor((now - oldest) / 60_000)
    const age = minutes < 1 ? amount(Math.floor((now - oldest) / 1000), "second") : amount(minutes, "minute")
    const text = `The oldest message of channel ${channel} of topic ${topic} is at least ${age} old: ${waiting(depth)}`
    yield notice("old_messages", subject, text, { detail, began: oldest })
  }
}

/** Returns the causes for warnings about a channel. */
export const of = function*(observed: Observed, thresholds: Thresholds): Generator<Notice> {
  const { channel, figures: { client_count, depth, nodes, pausedNodes }, topic } = observed
  if (pausedNodes > 0) {
    const text = `Channel ${channel} of topic ${topic} is paused${pausedOn(pausedNodes, nodes)}: ${waiting(depth)}`
    yield notice("paused_channel", { topic, channel }, text)
  }
  if (client_count === 0) yield* unconsumed(observed, thresholds.period)
  else if (pausedNodes < nodes) yield* consumed(observed, thresholds)
}
