/**
 * Publishes or consumes with a client library instead of bare sockets: this project's, as built, or nsqjs, one library per process.
 * It measures the library: the rate, and the CPU time and memory of this process. The daemon is the same for both.
 */
import { fail, sleep, type Window, work } from "./worker.ts"

export interface ClientConfig extends Window {
  readonly library: "effect-nsq/client" | "effect-nsq/promise" | "nsqjs"
  readonly role: "publish" | "consume"
  readonly port: number
  readonly topic: string
  readonly bodyBytes: number
  /** Publishes in flight. */
  readonly inFlight: number
  /** Messages per publish; PUB for 1, otherwise MPUB. */
  readonly batch: number
}

/** Runs a library; `count` counts confirmed or finished messages. */
export type Start = (config: ClientConfig, count: (messages: number) => void) => void

/** RDY count of a consumer. */
export const maxInFlight = 2500

work(async (config: ClientConfig) => {
  let done = 0
  const count = (messages: number): void => {
    done += messages
  }
  // Only one library is loaded, because memory is measured.
  const { start }: { readonly start: Start } = config.library === "nsqjs"
    ? await import("./nsqjsClient.ts")
    : config.library === "effect-nsq/promise"
    ? await import("./promiseClient.ts")
    : await import("./effectClient.ts")
  return async () => {
    start(config, count)
    await sleep(config.warmUpSeconds * 1000)
    const before = { done, cpu: process.cpuUsage(), time: performance.now() }
    await sleep(config.seconds * 1000)
    const messages = done - before.done
    if (messages === 0) fail(new Error("the client did nothing"))
    const { system, user } = process.cpuUsage(before.cpu)
    return {
      rate: messages / ((performance.now() - before.time) / 1000),
      cpuMicros: (user + system) / messages,
      memory: process.memoryUsage.rss()
    }
  }
})
