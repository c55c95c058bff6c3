/** The parts of warnings that all causes share: subject, words for figures, thresholds. Pure. */
import type { Warning, warningKinds } from "../../protocol/http/admin/AdminLive.ts"

/** A kind of warning. */
export type Kind = (typeof warningKinds)[number]

/** When there is a warning; each has a flag `--warn-...`. */
export interface Thresholds {
  /** Milliseconds for which a channel is observed. */
  readonly period: number
  /** Least number of messages for a warning about their growth. */
  readonly depth: number
  /** Milliseconds of age of the oldest message; 0 for no warning, like the next. */
  readonly oldest: number
  /** Requeued messages per 100 finished ones. */
  readonly requeuePercent: number
  /** Ratio of the deliveries of two consumers. */
  readonly deliveryRatio: number
  /** Percentage of nsqd's heap limit, and of its machine's memory. */
  readonly memoryPercent: number
  /** Percentage of the disk of nsqd's data directory. */
  readonly diskPercent: number
}

/** The subject of a warning. */
export interface Subject {
  readonly topic?: string
  readonly channel?: string
  readonly node?: string
}

/** A cause for a warning. `began` is its time in Unix milliseconds, if it is older than the sample. */
export interface Notice extends Omit<Warning, "since" | "muted_until"> {
  readonly began?: number
}

/** Returns a notice. */
export const notice = (
  kind: Kind,
  { channel = "", node = "", topic = "" }: Subject,
  text: string,
  more: { readonly detail?: string; readonly began?: number } = {}
): Notice => ({ kind, topic, channel, node, text, detail: "", ...more })

/** Identifies the subject of a warning. */
export const keyOf = ({ channel, kind, node, topic }: Pick<Notice, "channel" | "kind" | "node" | "topic">): string =>
  `${kind} ${topic} ${channel} ${node}`

/** Formats that are made once: `toLocaleString` takes several times as long, and there may be thousands of notices in a sample. */
const whole = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 })
const tenths = new Intl.NumberFormat("en-US", { maximumFractionDigits: 1 })

/** A number with separators between thousands. */
export const number = (value: number): string => whole.format(value)

/** A number with its noun: `1 message`, `2,000 messages`. */
export const amount = (count: number, noun: string): string => `${number(count)} ${noun}${count === 1 ? "" : "s"}`

/** `1 message waits`, `3 messages wait`. */
export const waiting = (messages: number): string =>
  `${amount(messages, "message")} ${messages === 1 ? "waits" : "wait"}`

/** A rate per second: `21/s`, `0.4/s`. */
export const rate = (perSecond: number): string => `${(perSecond < 10 ? tenths : whole).format(perSecond)}/s`
