%% SPDX-License-Identifier: MPL-2.0
%% escript peer.erl BYTES send PORT LENGTH...     connects, sends frames of these lengths and ends
%% escript peer.erl BYTES receive PORT            connects, prints the length of each frame up to the end
-mode(compile).

main([Bytes, What, Port | Lengths]) ->
    Options = [binary, {packet, list_to_integer(Bytes)}, {active, false}],
    {ok, Socket} = gen_tcp:connect("127.0.0.1", list_to_integer(Port), Options),
    lists:foreach(fun(Length) -> ok = gen_tcp:send(Socket, pattern(list_to_integer(Length))) end, Lengths),
    case What of
        "receive" -> receive_all(Socket);
        "send" -> ok
    end,
    ok = gen_tcp:close(Socket).

receive_all(Socket) ->
    case gen_tcp:recv(Socket, 0) of
        {ok, Frame} ->
            Frame = pattern(byte_size(Frame)),
            io:format("~p~n", [byte_size(Frame)]),
            receive_all(Socket);
        {error, closed} ->
            ok
    end.

pattern(Length) ->
    << <<(I rem 251)>> || I <- lists:seq(0, Length - 1) >>.
