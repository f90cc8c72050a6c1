// SPDX-License-Identifier: MPL-2.0
// java Peer.java send PORT LENGTH...     connects, sends frames of these lengths and ends
// java Peer.java receive PORT            connects, prints the length of each frame up to the end

import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.EOFException;
import java.net.Socket;
import java.util.Arrays;

class Peer {
    public static void main(String[] args) throws Exception {
        try (Socket socket = new Socket("127.0.0.1", Integer.parseInt(args[1]))) {
            if (args[0].equals("send")) {
                DataOutputStream out = new DataOutputStream(socket.getOutputStream());
                for (String length : Arrays.copyOfRange(args, 2, args.length)) {
                    byte[] frame = pattern(Integer.parseInt(length));
                    out.writeInt(frame.length);
                    out.write(frame);
                }
                out.flush();
            } else {
                receive(new DataInputStream(socket.getInputStream()));
            }
        }
    }

    static void receive(DataInputStream in) throws Exception {
        while (true) {
            int length;
            try {
                length = in.readInt();
            } catch (EOFException end) {
                return;
            }
            byte[] frame = new byte[length];
            in.readFully(frame);
            if (!Arrays.equals(frame, pattern(length))) throw new Exception("other bytes than those sent");
            System.out.println(length);
        }
    }

    static byte[] pattern(int length) {
        byte[] bytes = new byte[length];
        for (int i = 0; i < length; i++) bytes[i] = (byte) (i % 251);
        return bytes;
    }
}
