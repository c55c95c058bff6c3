/** The words for warnings. Pure. */
import type { Warning } from "../../protocol/http/admin/AdminLive.ts"
import * as Format from "../core/format.ts"

const names: { readonly [Kind in Warning["kind"]]: string } = {
  stuck_channel: "Stuck",
  growing_channel: "Growing",
  requeueing_channel: "Requeued",
  idle_consumers: "Consumers not ready",
  uneven_consumers: "Uneven delivery",
  growing_deferred: "Deferred",
  old_messages: "Old messages",
  memory_pressure: "Memory",
  disk_pressure: "Disk",
  unconsumed_channel: "No consumers",
  topic_without_channels: "No channels",
  topic_without_producers: "No producers",
  paused_channel: "Channel paused",
  paused_topic: "Topic paused",
  daemon_gone: "Daemon unreachable",
  daemon_unhealthy: "Daemon degraded",
  versions_differ: "Versions differ"
}

const serious = new Set<Warning["kind"]>([
  "stuck_channel",
  "growing_channel",
  "requeueing_channel",
  "idle_consumers",
  "memory_pressure",
  "disk_pressure",
  "daemon_gone",
  "daemon_unhealthy",
  "unconsumed_channel"
])

/** Whether a warning is muted. */
export const isMuted = ({ muted_until }: Warning): boolean => muted_until !== null

/** Identifies a warning. */
export const keyOf = ({ channel, kind, node, topic }: Warning): string => `${kind} ${topic} ${channel} ${node}`

/** Returns the name of the kind of a warning. */
export const nameOf = ({ kind }: Warning): string => names[kind]

/** Whether a warning needs attention at once. */
export const isSerious = ({ kind }: Warning): boolean => serious.has(kind)

/** The kinds in the order in which an operator should read them: daemons first, then what is stuck. */
const order: ReadonlyArray<Warning["kind"]> = [
  "daemon_gone",
  "daemon_unhealthy",
  "memory_pressure",
  "disk_pressure",
  "stuck_channel",
  "idle_consumers",
  "requeueing_channel",
  "growing_channel",
  "unconsumed_channel",
  "topic_without_channels",
  "paused_topic",
  "paused_channel",
  "uneven_consumers",
  "old_messages",
  "growing_deferred",
  "topic_without_producers",
  "versions_differ"
]

/** Sorts warnings by their kinds, and keeps the order of those of a kind. */
export const bySeverity = (a: Warning, b: Warning): number => order.indexOf(a.kind) - order.indexOf(b.kind)

/** Returns the first warning of each topic, also about its channels, that is not muted; without those whose state is shown anyway. */
export const worstByTopic = (warnings: ReadonlyArray<Warning>): ReadonlyMap<string, Warning> => {
  const worst = new Map<string, Warning>()
  for (const warning of warnings) {
    if (isMuted(warning) || warning.topic === "" || warning.kind === "paused_topic") continue
    const known = worst.get(warning.topic)
    if (known === undefined || bySeverity(warning, known) < 0) worst.set(warning.topic, warning)
  }
  return worst
}

/** Returns the sentence of a warning. */
export const sentence = ({ detail, since, text }: Warning, now: number): string =>
  `${text}, since ${Format.beginning(since, now)}${detail === "" ? "" : `; ${detail}`}.`
