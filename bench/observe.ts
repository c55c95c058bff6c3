/**
 * All observations of a daemon at once: pushes to statsd, latency percentiles, and a scrape of `/metrics` every second, fifteen
 * times as often as usual.
 */
import * as Dgram from "node:dgram"
import type { Daemon } from "./daemon.ts"
import { sleep } from "./load/worker.ts"

const scrapeMillis = 1000

/** An observation of daemons. */
export interface Observation {
  /** The flags of an observed daemon. */
  readonly flags: ReadonlyArray<string>
  /** Applies load with `use` and observes the daemon meanwhile. Fails if a scrape fails or statsd receives nothing. */
  readonly during: <A>(daemon: Daemon, use: () => Promise<A>) => Promise<A>
}

const scrape = async ({ httpPort }: Daemon): Promise<void> => {
  const response = await fetch(`http://127.0.0.1:${httpPort}/metrics`)
  const text = await response.text()
  if (!text.includes("nsqd_topic_messages_total")) throw new Error(`/metrics responded with ${response.status}`)
}

/** Listens for statsd for the time of `use`. */
export const withObservation = async <A>(use: (observation: Observation) => Promise<A>): Promise<A> => {
  const statsd = Dgram.createSocket("udp4")
  let pushes = 0
  statsd.on("message", () => pushes++)
  await new Promise<void>((resolve) => statsd.bind(0, "127.0.0.1", resolve))
  try {
    return await use({
      flags: [
        `--statsd-address=127.0.0.1:${statsd.address().port}`,
        "--statsd-interval=1s",
        "--e2e-processing-latency-percentile=0.99,0.95,0.5"
      ],
      during: async (daemon, load) => {
        const loaded = new AbortController()
        const scraping = async (): Promise<void> => {
          while (!loaded.signal.aborted) {
            await sleep(scrapeMillis)
            if (!loaded.signal.aborted) await scrape(daemon)
          }
        }
        const [result] = await Promise.all([load().finally(() => loaded.abort()), scraping()])
        if (pushes === 0) throw new Error("statsd received nothing")
        return result
      }
    })
  } finally {
    statsd.close()
  }
}
