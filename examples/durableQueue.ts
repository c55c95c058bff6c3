/**
 * A workflow that hands work to background workers through a durable queue. The queue is on a broker in this process, with its data in
 * the current directory: work that was handed over survives a crash, and workers get it as it arrives.
 *
 * Run it with `node examples/durableQueue.ts` after `npm run build`, in a directory for its data.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Console, Effect, Layer, Schema } from "effect"
import { Broker, DataDirectory, DiskStorage, NodeDisk, Options, Publisher } from "effect-nsq/broker"
import { NsqPersistedQueue } from "effect-nsq/persistence"
import { PersistedQueue } from "effect/persistence"
import { DurableQueue, Workflow, WorkflowEngine } from "effect/workflow"

/** Work for the workers: the same id is done once. */
const Mail = DurableQueue.make({
  name: "mail",
  payload: { id: Schema.String, to: Schema.String },
  success: Schema.String,
  idempotencyKey: ({ id }) => id
})

const Welcome = Workflow.make("Welcome", {
  payload: { id: Schema.String, to: Schema.String },
  success: Schema.String,
  idempotencyKey: ({ id }) => id
})

/** The workflow is suspended until a worker has done the work. */
const WelcomeLive = Welcome.toLayer(({ id, to }) => DurableQueue.process(Mail, { id, to }))

const MailWorkers = DurableQueue.worker(
  Mail,
  ({ to }) => Effect.as(Console.log(`mail to ${to}`), `sent to ${to}`),
  { concurrency: 4 }
)

/** A broker whose topics of queues are on the disk before an offer succeeds. */
const DurableBroker = (dataPath: string) =>
  Publisher.layer.pipe(
    Layer.provideMerge(Broker.layer),
    Layer.provide(DiskStorage.layer),
    Layer.provide(NodeDisk.layer),
    Layer.provide(Layer.effectDiscard(DataDirectory.lock(dataPath))),
    Layer.provide(Options.layer({ dataPath, topicDurability: ["effectq.*=synced"] }))
  )

export const program = (dataPath: string) =>
  Welcome.execute({ id: "1", to: "ada@example.org" }).pipe(
    Effect.provide(
      Layer.mergeAll(WelcomeLive, MailWorkers).pipe(
        // In memory here: a cluster of Effect keeps workflows over restarts, too.
        Layer.provideMerge(WorkflowEngine.layerMemory),
        Layer.provide(PersistedQueue.layer),
        Layer.provide(NsqPersistedQueue.layerStoreBroker()),
        Layer.provide(DurableBroker(dataPath))
      )
    )
  )

if (import.meta.main) NodeRuntime.runMain(program("."))
