/** What endpoints of nsqd have in common: parameters, failures, and a client as an example. */
import type { Client } from "../../../src/protocol/http/StatsResponse.ts"
import { failure, query } from "./Endpoint.ts"

/** The topic of a request. */
export const topic = query("topic", "name of the topic; `#ephemeral` at its end makes it ephemeral", "orders", {
  required: true
})

/** The channel of a request. */
export const channel = query("channel", "name of the channel; `#ephemeral` at its end makes it ephemeral", "billing", {
  required: true
})

/** The query cannot be decoded. */
export const invalidRequest = failure(400, "INVALID_REQUEST", "the query is not valid")

/** Every request about a topic names it. */
export const missingTopic = failure(400, "MISSING_ARG_TOPIC", "there is no parameter `topic`")

/** NSQ's rule for names. */
export const invalidTopic = failure(400, "INVALID_TOPIC", "not a valid name of a topic")

/** The failures of a request that takes any name of a topic. */
export const anyTopicFailures = [invalidRequest, missingTopic]

/** The failures of a request that checks the name of its topic. */
export const topicFailures = [...anyTopicFailures, invalidTopic]

/** The topic must exist. */
export const topicNotFound = failure(404, "TOPIC_NOT_FOUND", "the topic does not exist")

/** The channel must exist. */
export const channelNotFound = failure(404, "CHANNEL_NOT_FOUND", "the channel does not exist")

/** The disk refuses the change. */
export const internalError = failure(500, "INTERNAL_ERROR", "the change cannot be stored")

/** The limit of topics. */
export const tooManyTopics = failure(403, "TOO_MANY_TOPICS: <reason>", "there are `--max-topics`")

/** The limit of channels. */
export const tooManyChannels = failure(403, "TOO_MANY_CHANNELS: <reason>", "there are `--max-channels-per-topic`")

/** The end of nsqd or of the topic. */
export const exiting = failure(503, "EXITING", "nsqd stops, or the topic is being deleted")

/** The failures of a request that may create its topic and channel. */
export const newChannelFailures = [
  ...anyTopicFailures,
  failure(400, "INVALID_ARG_TOPIC", "not a valid name of a topic"),
  failure(400, "MISSING_ARG_CHANNEL", "there is no parameter `channel`"),
  failure(400, "INVALID_ARG_CHANNEL", "not a valid name of a channel")
]

/** The failures of a request about a channel. */
export const channelFailures = [...newChannelFailures, topicNotFound]

/** The schema of a duration in ms. */
export const milliseconds = (minimum: number) => ({ schema: { type: "integer", minimum } })

/** The errors of a place in a channel's log. */
export const notDurable = failure(400, "NOT_DURABLE: <reason>", "the topic has no log")

/** The forms of a place in a log. */
export const place = "`beginning`, `end`, a time as in RFC 3339, or the sequence of a message"

/** A consumer, as an example. */
export const client: Client = {
  client_id: "worker-1",
  hostname: "worker-1.internal",
  version: "V2",
  remote_address: "10.0.0.9:40112",
  state: 3,
  ready_count: 10,
  in_flight_count: 1,
  message_count: 17,
  finish_count: 16,
  requeue_count: 0,
  connect_ts: 1_795_989_632,
  sample_rate: 0,
  deflate: false,
  snappy: false,
  user_agent: "effect-nsq/0.2.0",
  topology_zone: "",
  topology_region: "",
  tls: false,
  tls_cipher_suite: "",
  tls_version: "",
  tls_negotiated_protocol: "",
  tls_negotiated_protocol_is_mutual: false
}
