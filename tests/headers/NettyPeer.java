// SPDX-License-Identifier: MPL-2.0
// java NettyPeer.java HEADER send PORT LENGTH...     connects, sends frames of these lengths and ends
// java NettyPeer.java HEADER receive PORT            connects, prints the length of each frame up to the end

import io.netty.bootstrap.Bootstrap;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.channel.nio.NioEventLoopGroup;
import io.netty.channel.socket.SocketChannel;
import io.netty.channel.socket.nio.NioSocketChannel;
import io.netty.handler.codec.LengthFieldBasedFrameDecoder;
import io.netty.handler.codec.LengthFieldPrepender;
import io.netty.handler.codec.protobuf.ProtobufVarint32FrameDecoder;
import io.netty.handler.codec.protobuf.ProtobufVarint32LengthFieldPrepender;

class NettyPeer {
    static final int MAX = 1_000_000;

    public static void main(String[] args) throws Exception {
        NioEventLoopGroup group = new NioEventLoopGroup(1);
        try {
            Bootstrap bootstrap = new Bootstrap().group(group).channel(NioSocketChannel.class);
            bootstrap.handler(new ChannelInitializer<SocketChannel>() {
                @Override
                protected void initChannel(SocketChannel channel) {
                    addCodec(channel, args[0]);
                    channel.pipeline().addLast(new Printer());
                }
            });
            Channel channel = bootstrap.connect("127.0.0.1", Integer.parseInt(args[2])).sync().channel();
            if (args[1].equals("send")) {
                for (int i = 3; i < args.length; i++) {
                    channel.writeAndFlush(Unpooled.wrappedBuffer(pattern(Integer.parseInt(args[i])))).sync();
                }
                channel.close();
            }
            channel.closeFuture().sync();
        } finally {
            group.shutdownGracefully(0, 1, java.util.concurrent.TimeUnit.SECONDS).sync();
        }
    }

    static void addCodec(SocketChannel channel, String header) {
        switch (header) {
            case "plain":
                channel.pipeline().addLast(new LengthFieldPrepender(4));
                channel.pipeline().addLast(new LengthFieldBasedFrameDecoder(MAX, 0, 4, 0, 4));
                break;
            case "inclusive":
                channel.pipeline().addLast(new LengthFieldPrepender(4, true));
                channel.pipeline().addLast(new LengthFieldBasedFrameDecoder(MAX, 0, 4, -4, 4));
                break;
            default:
                channel.pipeline().addLast(new ProtobufVarint32LengthFieldPrepender());
                channel.pipeline().addLast(new ProtobufVarint32FrameDecoder());
        }
    }

    static class Printer extends SimpleChannelInboundHandler<ByteBuf> {
        @Override
        protected void channelRead0(ChannelHandlerContext context, ByteBuf frame) {
            if (!frame.equals(Unpooled.wrappedBuffer(pattern(frame.readableBytes())))) System.exit(1);
            System.out.println(frame.readableBytes());
        }
    }

    static byte[] pattern(int length) {
        byte[] bytes = new byte[length];
        for (int i = 0; i < length; i++) bytes[i] = (byte) (i % 251);
        return bytes;
    }
}
