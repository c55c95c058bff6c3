/**
 * A custom Authorizer: the secret of a client's AUTH decides which topics it may use. Each secret belongs to a team, and a team has
 * the topics that begin with its name. Clients without AUTH are refused.
 *
 * Run it with `node examples/authorizer.ts` after `npm run build`.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Config, Console, Effect, Layer, Redacted } from "effect"
import { Nsqd } from "effect-nsq"
import { AuthError, Authorizer, Options, Storage } from "effect-nsq/broker"
import { NodeClient, Producer } from "effect-nsq/client"

/** Reads `TEAM_SECRETS`, such as `kitchen=s3cret,bar=t0psecret`. */
const TeamAuthorizer = Layer.effect(
  Authorizer,
  Effect.gen(function*() {
    const text = yield* Config.withDefault(Config.String("TEAM_SECRETS"), "kitchen=s3cret")
    const teams = new Map(text.split(",").map((pair) => [pair.slice(pair.indexOf("=") + 1), pair.split("=")[0] ?? ""]))
    return {
      query: ({ secret }) => {
        const team = teams.get(Redacted.value(secret).toString())
        if (team === undefined) return Effect.fail(AuthError.refusal("unknown secret"))
        return Effect.succeed({
          identity: team,
          identityUrl: "",
          permissionCount: 1,
          ttlMillis: 3_600_000,
          permits: (topic: string) => topic.startsWith(`${team}.`)
        })
      }
    }
  })
)

/** An error of the configuration is an error of the daemon's Layer. */
const Daemon = Nsqd.layerFrom({ authorizer: TeamAuthorizer, storage: Storage.layerMemory, http: false }).pipe(
  Layer.provide(Options.layer({ tcpAddress: "127.0.0.1:0" }))
)

/** Returns the reason why the team may not publish to a topic of another team. */
export const program = Effect.gen(function*() {
  const { tcpPort } = yield* Nsqd
  const producer = yield* Producer.make({
    servers: { nsqd: [`127.0.0.1:${tcpPort}`] },
    connection: { authSecret: Redacted.make("s3cret") }
  })
  yield* producer.publish("kitchen.orders", "tea")
  const { message } = yield* Effect.flip(producer.publish("bar.orders", "beer"))
  yield* Console.log(message)
  return message
}).pipe(Effect.scoped, Effect.provide([Daemon, NodeClient.layer]))

if (import.meta.main) NodeRuntime.runMain(program)
