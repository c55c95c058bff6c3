/**
 * Sends an alert to each webhook when a warning begins and when it ends (docs/nsqadmin.md#alerts). With `--history-dir` the raised alerts
 * are in a file there, so that the next nsqadmin neither raises them again nor forgets to clear them.
 */
import { Clock, Context, Duration, Effect, Layer, Schema, Stream } from "effect"
import { hostname } from "node:os"
import type { Alert } from "../../protocol/http/admin/AdminAlerts.ts"
import { Warning } from "../../protocol/http/admin/AdminLive.ts"
import * as Alerting from "./Alerting.ts"
import { Mutes } from "./Mutes.ts"
import { NsqadminOptions } from "./NsqadminOptions.ts"
import { Sampler } from "./Sampler.ts"
import * as StateFile from "./StateFile.ts"
import { type Tested, Webhooks } from "./Webhooks.ts"

const { muted_until: _, ...raisedFields } = Warning.fields

const Raised = Schema.Struct(raisedFields)

/** Alerts of a cluster. */
export class Alerts extends Context.Service<Alerts, {
  /** Sends a test to each webhook and returns the results; none without webhooks. */
  readonly test: Effect.Effect<ReadonlyArray<Tested>>
}>()("effect-nsq/admin/Alerts") {
  /** Sends alerts until the Scope closes. `cluster` is the name of the cluster in alerts. */
  static readonly layer = (cluster: string): Layer.Layer<Alerts, never, Sampler | Mutes | Webhooks> =>
    Layer.effect(
      Alerts,
      Effect.gen(function*() {
        const options = yield* NsqadminOptions
        const webhooks = yield* Webhooks
        const clock = yield* Clock.Clock
        const via = hostname()
        const test = Effect.suspend(() => {
          const at = clock.currentTimeMillisUnsafe()
          const text = "A test alert of nsqadmin: nothing is wrong"
          const subject = { kind: "test", topic: "", channel: "", node: "" } as const
          return webhooks.test({ event: "test", id: "test", cluster, ...subject, text, detail: "", since: at, at, via })
        })
        if (webhooks.names.length === 0) return Alerts.of({ test })

        const { samples } = yield* Sampler
        const mutes = yield* Mutes
        const file = StateFile.make(options.historyDir, "alerts.json", Raised, "alerts may be raised again")
        let state = Alerting.initial(yield* file.read)
        const started = clock.currentTimeMillisUnsafe()
        // Warnings of rates are there again after one period of observation.
        const settling = 2 * Duration.toMillis(options.warnPeriod) + 2 * Duration.toMillis(options.sampleInterval)

        const alertOf = (
          { event, warning: { channel, detail, kind, node, since, text, topic } }: Alerting.Change
        ): Alert => {
          const id = [cluster, kind, topic, channel, node].filter((part) => part !== "").join(" ")
          const at = clock.currentTimeMillisUnsafe()
          return { event, id, cluster, kind, topic, channel, node, text, detail, since, at, via }
        }
        const report = Effect.fnUntraced(function*(warnings: ReadonlyArray<Alerting.Raised>) {
          const isSettling = clock.currentTimeMillisUnsafe() - started < settling
          const { changes, state: next } = Alerting.observe(state, mutes.apply(warnings), isSettling)
          state = next
          if (changes.length === 0) return
          yield* Effect.forEach(changes, (change) => webhooks.send(alertOf(change)), { discard: true })
          yield* file.write([...state.raised.values()])
        }, Effect.uninterruptible)
        yield* Effect.forkScoped(Stream.runForEach(samples, ({ warnings }) => report(warnings)))
        return Alerts.of({ test })
      })
    )
}
