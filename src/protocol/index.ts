/**
 * `effect-nsq/protocol`: NSQ's wire protocol and file formats as Schemas and codecs. Pure: no fibers, no I/O.
 */

/**
 * The commands of a client.
 *
 * ```ts
 * const bytes = Command.encodeCommand({ _tag: "RDY", count: 100 })
 * ```
 */
export * as Command from "./client/Command.ts"
/**
 * The decoder of commands.
 *
 * ```ts
 * const decoder = new CommandDecoder.CommandDecoder({
 *   maxMsgSize: 1024 * 1024,
 *   maxBodySize: 5 * 1024 * 1024,
 *   maxIdentifySize: 64 * 1024,
 *   maxReqTimeoutMillis: 3_600_000,
 *   maxRdyCount: 2500
 * })
 * decoder.feed(Buffer.from("RDY 100\n"))
 * ```
 */
export * as CommandDecoder from "./client/CommandDecoder.ts"
/**
 * The parameters of a command line.
 *
 * ```ts
 * const decoded = CommandLine.rdyCommand("100", 2500)
 * ```
 */
export * as CommandLine from "./client/CommandLine.ts"
/**
 * Decoded commands.
 *
 * ```ts
 * const malformed = Decoded.malformed("RDY", "E_INVALID", "RDY could not parse count x")
 * ```
 */
export * as Decoded from "./client/Decoded.ts"
/**
 * The disk queue's files.
 *
 * ```ts
 * const file = DiskQueueFormat.dataFileName("orders", 0)
 * ```
 */
export * as DiskQueueFormat from "./storage/DiskQueueFormat.ts"
/**
 * The frames of a server.
 *
 * ```ts
 * const decoder = new Frame.FrameDecoder(1024 * 1024)
 * decoder.feed(Frame.encodeResponse("OK"))
 * const frame = decoder.next()
 * ```
 */
export * as Frame from "./client/Frame.ts"
/**
 * JSON objects, decoded as in Go.
 *
 * ```ts
 * const fields = GoJson.reader(["topic"])(`{"TOPIC":"orders"}`)
 * ```
 */
export * as GoJson from "./text/GoJson.ts"
/**
 * Message ids.
 *
 * ```ts
 * const generator = new Guid.GuidGenerator(1)
 * ```
 */
export * as Guid from "./client/Guid.ts"
/**
 * IDENTIFY and its negotiation.
 *
 * ```ts
 * const request = Identify.decodeIdentify(Buffer.from(`{"client_id":"kitchen","snappy":true}`))
 * ```
 */
export * as Identify from "./client/Identify.ts"
/**
 * The responses of nsqlookupd.
 *
 * ```ts
 * const bytes = LookupReply.encodeReply(Buffer.from("OK"))
 * ```
 */
export * as LookupReply from "./lookup/LookupReply.ts"
/**
 * The commands of nsqd to nsqlookupd.
 *
 * ```ts
 * const bytes = LookupCommand.encodeLookupCommand({ _tag: "PING" })
 * ```
 */
export * as LookupCommand from "./lookup/LookupCommand.ts"
/**
 * IDENTIFY between nsqd and nsqlookupd.
 *
 * ```ts
 * const isHost = LookupIdentity.isHost("nsqd-1.example")
 * ```
 */
export * as LookupIdentity from "./lookup/LookupIdentity.ts"
/**
 * The message format.
 *
 * ```ts
 * const attempts = (data: Uint8Array) => Message.decodeMessage(data)?.attempts
 * ```
 */
export * as Message from "./client/Message.ts"
/**
 * Batches of messages.
 *
 * ```ts
 * const bytes = (batch: MessageBatch.MessageBatch) => batch.bodyBytes / batch.count
 * ```
 */
export * as MessageBatch from "./client/MessageBatch.ts"
/**
 * Headers of messages.
 *
 * ```ts
 * const block = MessageHeaders.encodeHeaders({ "content-type": "application/json" })
 * ```
 */
export * as MessageHeaders from "./client/Headers.ts"
/**
 * Topic and channel names.
 *
 * ```ts
 * const topic = Names.TopicName.make("orders")
 * const isValid = Names.isValidName("two words")
 * ```
 */
export * as Names from "./client/Names.ts"
/**
 * The metadata file.
 *
 * ```ts
 * const metadata = NsqdMetadata.decodeNsqdMetadata(`{"topics":[],"version":"1.3.0"}`)
 * ```
 */
export * as NsqdMetadata from "./storage/NsqdMetadata.ts"
/**
 * The wire errors.
 *
 * ```ts
 * const code = ProtocolError.parseErrorCode("E_BAD_TOPIC PUB topic name is not valid")
 * ```
 */
export * as ProtocolError from "./client/ProtocolError.ts"
/**
 * Go's rules for quoting and for numbers.
 *
 * ```ts
 * const quoted = Text.goQuote(Buffer.from("tea"))
 * ```
 */
export * as Text from "./text/Text.ts"
