# ipc: messages and channels.
noinst_LIBRARIES += libipc.a
libipc_a_SOURCES = src/ipc/msg.c src/ipc/codec.c src/ipc/unpack.c src/ipc/chan.c src/ipc/frame.c src/ipc/wire.c \
	src/ipc/ipc_room.h
IPC_LIBS = libipc.a $(MSGPACK_LIBS)
noinst_HEADERS += include/msg.h include/chan.h include/tables/messages.def include/tables/values.def
