/** What `nsq top` knows of a cluster at one time: the statistics of its nsqds, and which did not respond. */
import { Effect } from "effect"
import type { NsqdApi, Stats } from "../admin/index.ts"
import * as Time from "../core/Time.ts"

/** The topics, or one channel with its clients. */
export interface Scope {
  readonly topic: string | undefined
  readonly channel: string | undefined
}

/** The statistics at one time. */
export interface Sample {
  /** Of the monotonic clock. */
  readonly millis: number
  readonly nodes: ReadonlyArray<{ readonly address: string; readonly stats: Stats }>
  /** One for each nsqd that did not respond. */
  readonly failures: ReadonlyArray<string>
}

/** Requests the statistics of all nsqds; those of clients only for a channel. */
export const take = Effect.fnUntraced(function*(
  nsqds: ReadonlyArray<NsqdApi.NsqdApi>,
  { channel, topic }: Scope
): Effect.fn.Return<Sample> {
  const { monotonicMillis } = yield* Time.make
  const [failures, nodes] = yield* Effect.partition(nsqds, ({ address, stats }) =>
    Effect.map(
      stats({
        clients: channel !== undefined,
        memory: false,
        ...topic !== undefined && { topic },
        ...channel !== undefined && { channel }
      }),
      (stats) => ({ address, stats })
    ), { concurrency: 16 }).pipe(Effect.map(([done, failed]) => [failed, done] as const))
  return { millis: monotonicMillis(), nodes, failures: failures.map(({ message }) => message) }
})
