/** nsqd's HTTP API. */
import { Connection } from "../../../src/protocol/http/ClientsResponse.ts"
import { DrainedTopic, DrainProgress } from "../../../src/protocol/http/DrainResponse.ts"
import { Info } from "../../../src/protocol/http/InfoResponse.ts"
import { BrowsedMessage } from "../../../src/protocol/http/MessagesResponse.ts"
import { NodeStatus } from "../../../src/protocol/http/NodeResponse.ts"
import { ListedPolicy, Policy, PolicyInForce } from "../../../src/protocol/http/PoliciesResponse.ts"
import { RedriveProgress } from "../../../src/protocol/http/RedriveResponse.ts"
import { Channel, Client, Latency, Memory, Stats, Topic } from "../../../src/protocol/http/StatsResponse.ts"
import { profiles } from "./debug.ts"
import { type Api, query, text } from "./Endpoint.ts"
import { messages } from "./nsqdMessages.ts"
import { redrives } from "./nsqdRedrive.ts"
import { state } from "./nsqdState.ts"
import { topics } from "./nsqdTopics.ts"

/** The API. */
export const nsqd: Api = {
  name: "nsqd",
  summary: "Publishing, consuming, topics and channels, and the state of an nsqd",
  server: "http://127.0.0.1:4151",
  schemas: {
    BrowsedMessage,
    Channel,
    Client,
    Connection,
    DrainProgress,
    DrainedTopic,
    Info,
    Latency,
    ListedPolicy,
    Memory,
    NodeStatus,
    Policy,
    PolicyInForce,
    RedriveProgress,
    Stats,
    Topic
  },
  endpoints: [
    ...messages,
    ...topics,
    ...redrives,
    ...state,
    ...profiles("/debug/pprof/"),
    {
      method: "PUT",
      path: "/debug/setblockrate",
      tag: "Profiles",
      summary: "For Go's pprof; has no effect",
      parameters: [query("rate", "an integer", 1, { required: true, schema: { type: "integer" } })],
      response: text("always the same", "OK")
    },
    {
      method: "POST",
      path: "/debug/freememory",
      tag: "Profiles",
      summary: "Collects garbage",
      response: text("afterwards", "OK")
    }
  ]
}
