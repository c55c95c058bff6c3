/** The words for warnings. Pure. */
import type { Warning } from "../../protocol/http/admin/AdminLive.ts"
import * as Format from "../core/format.ts"

const names: { readonly [Kind in Warning["kind"]]: string } = {
  unconsumed_channel: "No consumers",
  topic_without_channels: "No channels",
  topic_without_producers: "No producers",
  paused_channel: "Channel paused",
  paused_topic: "Topic paused",
  daemon_gone: "Daemon unreachable",
  daemon_unhealthy: "Daemon degraded",
  versions_differ: "Versions differ"
}

const serious = new Set<Warning["kind"]>(["daemon_gone", "daemon_unhealthy", "unconsumed_channel"])

/** Identifies a warning. */
export const keyOf = ({ channel, kind, node, topic }: Warning): string => `${kind} ${topic} ${channel} ${node}`

/** Returns the name of the kind of a warning. */
export const nameOf = ({ kind }: Warning): string => names[kind]

/** Whether a warning needs attention at once. */
export const isSerious = ({ kind }: Warning): boolean => serious.has(kind)

/** Sorts serious warnings first and keeps the order otherwise. */
export const bySeverity = (a: Warning, b: Warning): number => Number(isSerious(b)) - Number(isSerious(a))

/** Returns the sentence of a warning. */
export const sentence = ({ since, text }: Warning, now: number): string =>
  `${text.replace(/\.$/, "")}, since ${Format.beginning(since, now)}.`
