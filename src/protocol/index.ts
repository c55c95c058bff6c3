/**
 * `effect-nsq/protocol`: NSQ's wire protocol and file formats as Schemas and codecs. Pure: no fibers, no I/O.
 */

/** The commands of a client. */
export * as Command from "./client/Command.ts"
/** The decoder of commands. */
export * as CommandDecoder from "./client/CommandDecoder.ts"
/** The parameters of a command line. */
export * as CommandLine from "./client/CommandLine.ts"
/** Decoded commands. */
export * as Decoded from "./client/Decoded.ts"
/** The disk queue's files. */
export * as DiskQueueFormat from "./storage/DiskQueueFormat.ts"
/** The frames of a server. */
export * as Frame from "./client/Frame.ts"
/** JSON objects, decoded as in Go. */
export * as GoJson from "./text/GoJson.ts"
/** Message ids. */
export * as Guid from "./client/Guid.ts"
/** IDENTIFY and its negotiation. */
export * as Identify from "./client/Identify.ts"
/** The responses of nsqlookupd. */
export * as LookupReply from "./lookup/LookupReply.ts"
/** The commands of nsqd to nsqlookupd. */
export * as LookupCommand from "./lookup/LookupCommand.ts"
/** IDENTIFY between nsqd and nsqlookupd. */
export * as LookupIdentity from "./lookup/LookupIdentity.ts"
/** The message format. */
export * as Message from "./client/Message.ts"
/** Batches of messages. */
export * as MessageBatch from "./client/MessageBatch.ts"
/** Topic and channel names. */
export * as Names from "./client/Names.ts"
/** The metadata file. */
export * as NsqdMetadata from "./storage/NsqdMetadata.ts"
/** The wire errors. */
export * as ProtocolError from "./client/ProtocolError.ts"
/** Go's rules for quoting and for numbers. */
export * as Text from "./text/Text.ts"
