/** SUB: subscribes the client to a channel, which is created if it does not exist. See docs/protocol/client.md#sub. */
import { Effect } from "effect"
import type { ChannelName, TopicName } from "../../../../protocol/client/Names.ts"
import { protocolError } from "../../../../protocol/client/ProtocolError.ts"
import * as Completion from "../../../core/Completion.ts"
import { Broker } from "../../broker/Broker.ts"
import type { Access } from "../connection/Access.ts"
import type { CommandHandler } from "../connection/CommandHandler.ts"

interface Sub {
  readonly topic: TopicName
  readonly channel: ChannelName
}

export const make = (access: Access): Effect.Effect<CommandHandler<Sub>, never, Broker> =>
  Effect.map(Broker, (broker): CommandHandler<Sub> => ({
    permittedIn: ["Init"],
    refusal: ({ negotiated }) =>
      negotiated.heartbeatInterval === 0
        ? protocolError("E_INVALID", "cannot SUB with heartbeats disabled")
        : undefined,
    describe: ({ channel, topic }) => `SUB ${topic} ${channel}`,
    execute: (session, { channel, topic }) =>
      Completion.andThen(access.check(session, "SUB", topic, channel), () => {
        const { locality, negotiated: { msgTimeout, sampleRate } } = session
        return broker.subscribe(topic, channel, session, { msgTimeout, sampleRate, locality }).pipe(
          Effect.mapError((error) => protocolError("E_SUB_FAILED", `SUB failed ${error.message}`)),
          Effect.map((subscription) => {
            session.subscribed(subscription)
            session.outbox.ok(1)
          })
        )
      })
  }))
